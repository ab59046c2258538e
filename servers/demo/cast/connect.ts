import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'

/** How an agent reaches a gateway. */
export interface Reach {
  url: string
  /** Who it says it is. */
  headers: Record<string, string>
}

/** An SDK client over HTTP, initialized. @throws what the SDK throws if it cannot be */
export async function connect({ url, headers }: Reach): Promise<Client> {
  const client = new Client({ name: 'understudy-demo', version: '1' })
  // The SDK's own declarations disagree with exactOptionalPropertyTypes about an optional session id.
  const transport: unknown = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } })
  await client.connect(transport as Parameters<Client['connect']>[0])
  return client
}
