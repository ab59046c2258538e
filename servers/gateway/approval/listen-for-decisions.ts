import type { Clock } from '../../../shared/clock/clock.js'
import { ApiFace } from '../../../shared/http/api-face.js'
import { Guard } from '../../../shared/http/guard.js'
import { Listener } from '../../../shared/http/listener.js'
import { Journal } from '../../../shared/journal/journal.js'
import type { Log } from '../../../shared/log.js'
import type { ListenOptions } from '../../../shared/mcp/http/serve.js'
import { approvalRoutes, failure, refusedAnswer } from './approval-routes.js'
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
  const face = new ApiFace({
    name: 'approvals',
    journal: new Journal({ clock, machine, instance: 'gateway', enabled: false }),
    routes: approvalRoutes(approvals),
    nameOf: () => '',
    refuse(error) {
      const answer = refusedAnswer(error)
      if (answer.status === 500) log.error('a decision could not be taken', error)
      return answer
    },
    unrouted: ({ method, path }, methods) =>
      methods.length === 0
        ? failure(404, 'unknown_route', `there is nothing at ${path}`, 'GET /approvals lists what is waiting')
        : failure(405, 'method_not_allowed', `${path} takes no ${method}`, `it takes ${methods.join(', ')}`),
    forbidden: why => failure(403, 'forbidden', why),
  })
  return Listener.open({
    host,
    port,
    name: 'approvals',
    portOption: '--approval-port',
    guard: new Guard([host, ...allowedHosts]),
    faces: async () => ({ mcp: face, rest: face }),
  })
}
