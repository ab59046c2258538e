import type { ServerName } from '../../../shared/util/known-tools.js'
import { defined } from '../../../shared/util/objects.js'
import { createGateway, type Gateway } from '../../gateway/index.js'
import { createEngine, type Policy } from '../../gateway/policy/index.js'
import { ACCOUNT_TOKEN, handleOf } from '../stage/fixtures.js'
import { Callers, REVISION } from './caller.js'
import { furtherSessions, type OpenWay } from './gateway.js'
import { HttpCaller } from './http-caller.js'

/**
 * Opens the built-in gateway of this project. It listens over HTTP and uses the stage's clock.
 *
 * @param policy the policy that the gateway enforces
 */
export function builtin(policy: Policy): OpenWay {
  return async (stage, names, protocol = REVISION) => {
    // The gateways of both servers share one engine, so that a limit over all tools counts the calls of both
    // servers.
    const engine = createEngine(policy, stage.clock)
    const grants = names.map(label => ({ label, token: tokenOf(label), policy: engine }))
    const gateways = new Map<ServerName, Gateway>()
    const credential = [`Authorization: Bearer ${ACCOUNT_TOKEN}`]
    const open = async (server: ServerName): Promise<Gateway> => {
      const gateway = await createGateway({
        upstream: stage.upstream(server),
        grants,
        clock: stage.clock,
        ...defined({ upstreamHeaders: server === 'instanode' ? credential : undefined }),
      })
      gateways.set(server, gateway)
      return gateway
    }
    for (const server of stage.servers) await open(server)
    const callers = new Callers(async (server, as) => {
      const { url } = gateways.get(server) ?? (await open(server))
      const headers = { Authorization: `Bearer ${tokenOf(as)}`, 'X-Safebot-Handle': handleOf(as) }
      return HttpCaller.open({ url, headers, machine: stage.machine, protocol, busy: () => stage.busy })
    })
    return {
      name: 'the builtin gateway',
      advances: true,
      grants: names.length,
      namesRules: true,
      caller: (server, as) => callers.get(server, as),
      ...furtherSessions(callers, protocol),
      approve() {
        const pending = [...gateways.values()].flatMap(({ approvals }) =>
          approvals.list().flatMap(({ id, state }) => (state === 'pending' ? [{ approvals, id }] : [])),
        )
        for (const { approvals, id } of pending) approvals.decide(id, 'approve')
        return pending.length
      },
      async close() {
        await callers.close()
        for (const gateway of gateways.values()) await gateway.close()
      },
    }
  }
}

function tokenOf(label: string): string {
  return `rehearsal-grant-${handleOf(label)}`
}
