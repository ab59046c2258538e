import type { Client } from '@modelcontextprotocol/sdk/client/index.js'
import type { Understudy } from '../../../servers/understudy/index.js'
import { PAID } from '../servers/instanode.js'
import { startUnderstudy } from '../servers/understudy.js'
import { connectOver, startGateway } from './gateway.js'
import { policyFile } from './rehearse.js'

/** Lets everything through. */
export const NAIVE = 'test/support/gateway/policies/allow-all.json'

/** An instance under an attack, on a manual clock. */
export function underAttack(name: string): Promise<Understudy> {
  return startUnderstudy({ attack: name })
}

/**
 * An agent behind a policy, with an account of its own on Instanode.
 *
 * @param policy a file of fixtures/policies, or {@link NAIVE}
 */
export async function agentBehind(
  understudy: Understudy,
  server: 'instanode' | 'safebot',
  policy: string,
  token = PAID,
): Promise<Client> {
  const gateway = await startGateway({
    policy: policy === NAIVE ? NAIVE : policyFile(policy),
    upstream: understudy[server].mcpUrl,
    clock: understudy.clock,
    ...(server === 'instanode' && { upstreamHeaders: [`Authorization: Bearer ${token}`] }),
  })
  return connectOver(gateway.url, { 'X-Safebot-Handle': 'victim' })
}

/** How often a tool was called over the network. */
export function reached(understudy: Understudy, tool: string): number {
  return understudy.journal.entries({ tool, transport: 'http' }).length
}
