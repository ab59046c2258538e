import { McpCaller } from './client/mcp-caller.js'

/** Tokens of the world `default`, one account for what piles up and one for what does not. */
const PAID = 'understudy-paid-token'
const PAID_2 = 'understudy-paid-token-2'

export const bearer = (token: string) => `Authorization: Bearer ${token}\r\n`
export const PILING_UP = bearer(PAID)
export const STEADY = bearer(PAID_2)

/** A receiver of the steady account. */
export async function createReceiver(mcpUrl: string): Promise<{ token: string; url: string }> {
  const caller = await McpCaller.inSession(mcpUrl, STEADY)
  const { structuredContent } = await caller.read('create_webhook', { name: 'bench' })
  caller.close()
  const { token, receive_url } = Object(structuredContent)
  return { token: String(token), url: String(receive_url) }
}

/** A live database of the account that things pile up on: paid, so no cap applies. */
export async function createPostgres(caller: McpCaller): Promise<{ token: string; url: string }> {
  const { structuredContent } = await caller.read('create_postgres', { name: 'bench' })
  const { token, connection_url } = Object(structuredContent)
  return { token: String(token), url: String(connection_url) }
}
