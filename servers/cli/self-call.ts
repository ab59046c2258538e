import { Refusal } from '../../shared/errors.js'

/**
 * Calls a server as a client would: it is ready once it answers.
 *
 * @param mcpUrl its MCP endpoint
 * @throws Refusal `not_ready`
 */
export async function answersToItself(mcpUrl: string): Promise<void> {
  const response = await fetch(mcpUrl, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 'ready', method: 'tools/list' }),
  })
  if (response.ok) return
  throw new Refusal(
    'not_ready',
    `${mcpUrl} answered ${response.status} to its own call`,
    await response.text(),
  )
}
