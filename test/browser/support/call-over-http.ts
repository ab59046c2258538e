import { rpc, send } from '../../support/clients/raw-http.js'

/** Calls a tool over HTTP, as an agent without a session does. @returns the structured result */
export async function callOverHttp(
  mcpUrl: string,
  tool: string,
  args: Record<string, unknown> = {},
  headers: Record<string, string> = {},
): Promise<Record<string, unknown>> {
  const { json } = await send(mcpUrl, {
    body: rpc('tools/call', { name: tool, arguments: args }, 1),
    headers,
  })
  return Object(Object(Object(json).result).structuredContent)
}
