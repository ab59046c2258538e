import type { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { call, textOf } from './servers/understudy.js'

/** Makes several calls at once, and tells how each ended. */
export async function concurrently(
  calls: { client: Client; tool: string; args: Record<string, unknown> }[],
): Promise<{ refused: boolean; text: string }[]> {
  const results = await Promise.all(calls.map(({ client, tool, args }) => call(client, tool, args)))
  return results.map(result => ({ refused: result.isError === true, text: textOf(result) }))
}
