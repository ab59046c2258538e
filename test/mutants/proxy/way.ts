import { createEngine, type Policy } from '#built/servers/gateway/policy/index.js'
import { ACCOUNT_TOKEN, handleOf } from '#built/servers/rehearsal/stage/fixtures.js'
import { Callers } from '#built/servers/rehearsal/via/caller.js'
import type { OpenWay } from '#built/servers/rehearsal/via/gateway.js'
import { HttpCaller } from '#built/servers/rehearsal/via/http-caller.js'
import type { ServerName } from '#built/shared/util/known-tools.js'
import type { GatewayMutant } from '../gateways/mutant.js'
import { HttpFront } from './http-front.js'
import { PolicyGateway } from './policy-gateway.js'

/**
 * Puts the gateway of this folder in front of the stage: in this process, over HTTP, on the stage's clock.
 *
 * @param policy what it enforces
 * @param mutant how it is broken. Default: not at all
 */
export function proxied(policy: Policy, mutant?: GatewayMutant): OpenWay {
  return async (stage, names) => {
    const { clock } = stage
    // One engine for both servers: a limit over all tools counts them together.
    const engine = createEngine(policy, clock)
    const grants = new Map(names.map(name => [tokenOf(name), name]))
    const gateways: PolicyGateway[] = []
    const fronts = new Map<ServerName, HttpFront>()
    for (const server of stage.servers) {
      const gateway = new PolicyGateway(engine, mutant?.hooks({ clock, policy }))
      gateways.push(gateway)
      fronts.set(
        server,
        await HttpFront.open({
          gateway,
          upstream: stage.upstream(server),
          grants,
          credential: server === 'instanode' ? `Bearer ${ACCOUNT_TOKEN}` : undefined,
        }),
      )
    }
    const callers = new Callers(async (server, as) => {
      const front = fronts.get(server)
      if (front === undefined) throw new TypeError(`no gateway is in front of ${server}`)
      const headers = { Authorization: `Bearer ${tokenOf(as)}`, 'X-Safebot-Handle': handleOf(as) }
      return HttpCaller.open({ url: front.url, headers, machine: stage.machine, busy: () => stage.busy })
    })
    return {
      name: mutant?.name ?? 'the proxy of test/mutants',
      advances: true,
      grants: names.length,
      namesRules: false,
      caller: (server, as) => callers.get(server, as),
      newSession: (server, as) => callers.another(server, as),
      approve: () => gateways.reduce((sum, { approvals }) => sum + approvals.approveAll(), 0),
      async close() {
        await callers.close()
        for (const front of fronts.values()) await front.close()
      },
    }
  }
}

function tokenOf(name: string): string {
  return `mutants-grant-${handleOf(name)}`
}
