import { ApiFace } from '../http/api-face.js'
import { Guard } from '../http/guard.js'
import type { HttpCall } from '../http/http-call.js'
import { Listener } from '../http/listener.js'
import type { HttpAnswer } from '../http/routes.js'
import { Journal } from '../journal/journal.js'
import type { ListenOptions } from '../mcp/http/serve.js'
import { failure, refused } from './answers.js'
import type { Controlled } from './controlled.js'
import type { Operation } from './operation.js'
import { aboutRoutes } from './routes/about.js'
import { clockRoutes } from './routes/clock.js'
import { journalRoutes } from './routes/journal.js'
import { journalStreamRoute } from './routes/journal-stream.js'
import { replicasRoute } from './routes/replicas.js'
import { snapshotRoutes } from './routes/snapshots.js'
import { accountRoutes, stateRoutes } from './routes/state.js'
import { catalogueRoutes, faultRoutes } from './routes/trouble.js'

/** Where an instance is controlled over HTTP. */
export interface ControlPlane {
  /** `http://host:port` */
  readonly url: string
  close(): Promise<void>
}

/**
 * Puts the control plane of an instance on a port of its own: what a policy or a scan sees of the servers stays genuine.
 *
 * @throws Refusal `port_busy` or `cannot_listen`
 */
export async function openControlPlane<Snapshot>(
  controlled: Controlled<Snapshot>,
  { host = '127.0.0.1', port = 0, allowedHosts = [] }: ListenOptions = {},
): Promise<ControlPlane> {
  const listener = await Listener.open({
    host,
    port,
    name: 'control',
    guard: new Guard([host, ...allowedHosts]),
    async faces(url) {
      const face = createFace(controlled, url)
      return { mcp: face, rest: face }
    },
  })
  return { url: listener.url, close: () => listener.close() }
}

function createFace<Snapshot>(controlled: Controlled<Snapshot>, url: string): ApiFace {
  const { instance } = controlled
  const { clock, machine, name, log } = instance
  const operations: Operation[] = []
  operations.push(
    ...aboutRoutes({ controlled, url, all: () => operations.map(({ description }) => description) }),
    ...clockRoutes(clock),
    ...journalRoutes(instance.journal),
    journalStreamRoute(instance),
    ...faultRoutes(instance.faults),
    ...catalogueRoutes(instance.catalogue),
    ...stateRoutes(controlled),
    replicasRoute(instance),
    ...accountRoutes(controlled),
    ...snapshotRoutes(controlled),
  )
  return new ApiFace({
    name: 'control',
    // What is asked of the control plane has reached no server: the instance's journal is to be silent about it.
    journal: new Journal({ clock, machine, instance: name, enabled: false }),
    routes: operations,
    nameOf: () => '',
    refuse: (error, call) => (call.response.destroyed ? unheard : refused(error, log)),
    unrouted,
    forbidden: why => failure(403, 'forbidden', why, null),
  })
}

/** Whoever has hung up is told nothing, and there is nothing to log about it. */
const unheard: HttpAnswer = { status: 408, headers: {}, body: '' }

function unrouted({ method, path }: HttpCall, methods: readonly string[]): HttpAnswer {
  if (methods.length === 0) {
    return failure(404, 'unknown_route', `there is nothing at ${path}`, 'GET / lists what there is')
  }
  const allow = (methods.includes('GET') ? [...methods, 'HEAD'] : methods).join(', ')
  return failure(405, 'method_not_allowed', `${path} takes no ${method}`, `it takes ${allow}`, {
    Allow: allow,
  })
}
