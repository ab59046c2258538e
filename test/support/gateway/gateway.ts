import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { onTestFinished } from 'vitest'
import { createGateway, type Gateway, type GatewayOptions } from '../../../servers/gateway/index.js'
import { createEngine, type PolicyEngine, readPolicy } from '../../../servers/gateway/policy/index.js'
import type { Understudy } from '../../../servers/understudy/index.js'
import type { Clock } from '../../../shared/clock/clock.js'

/** An engine of a policy that stands in the test. */
export function engineOf(policy: object, clock: Clock): PolicyEngine {
  return createEngine(readPolicy(JSON.stringify({ version: '1', ...policy }), 'test.json').policy, clock)
}

/** A gateway, closed when the test is over. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const gateway = await createGateway(options)
  onTestFinished(() => gateway.close())
  return gateway
}

/** A gateway in front of one of the stand-ins, on their clock. */
export function inFrontOf(
  understudy: Understudy,
  server: 'instanode' | 'safebot',
  policy: object,
  options: Partial<GatewayOptions> = {},
): ReturnType<typeof startGateway> {
  const { clock } = understudy
  const engine = engineOf(policy, clock)
  return startGateway({ policy: engine, upstream: understudy[server].mcpUrl, clock, ...options })
}

/** An SDK client over HTTP, initialized; closed when the test is over. */
export async function connectOver(url: string, headers: Record<string, string> = {}): Promise<Client> {
  const client = new Client({ name: 'agent', version: '1' })
  // The SDK's own declarations disagree with exactOptionalPropertyTypes about an optional session id.
  const transport: unknown = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } })
  await client.connect(transport as Parameters<Client['connect']>[0])
  onTestFinished(() => client.close())
  return client
}
