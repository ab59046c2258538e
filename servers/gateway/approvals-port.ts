import type { Clock } from '../../shared/clock/clock.js'
import { approvalRoutes } from '../../shared/http/approval-routes.js'
import { Guard } from '../../shared/http/guard.js'
import { Listener } from '../../shared/http/listener.js'
import { operationsFace } from '../../shared/http/operations-face.js'
import type { ListenOptions } from '../../shared/mcp/http/serve.js'
import type { Log } from '../../shared/util/log.js'
import type { Approvals } from './approvals.js'

export interface DecisionsOptions {
  approvals: Approvals
  clock: Clock
  machine: Clock
  listen: ListenOptions
  log: Log
}

/**
 * Puts approvals on a port of their own: an agent that could reach it would approve of itself.
 *
 * @throws Refusal `port_busy` or `cannot_listen`
 */
export function listenForDecisions({
  approvals,
  clock,
  machine,
  listen,
  log,
}: DecisionsOptions): Promise<Listener> {
  const { host = '127.0.0.1', port = 0, allowedHosts = [] } = listen
  const face = operationsFace({
    ...{ name: 'approvals', operations: approvalRoutes(approvals) },
    ...{ hint: 'GET /approvals lists what is waiting', clock, machine, log },
  })
  return Listener.open({
    host,
    port,
    name: 'approvals',
    portOption: '--approval-port',
    // What decides over calls is not to be reached by way of a page that an agent serves to somebody's browser.
    guard: new Guard([host, ...allowedHosts], { ownPagesOnly: true }),
    faces: async () => ({ mcp: face, rest: face }),
  })
}
