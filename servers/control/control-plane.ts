import {
  approvalRoutes,
  type ControlledApprovals,
  unknownApproval,
} from '../../shared/http/approval-routes.js'
import { createCheckedApi } from '../../shared/http/checked-api.js'
import { type HttpHandler, Listener } from '../../shared/http/listener.js'
import type { Operation } from '../../shared/http/operation.js'
import type { ListenOptions } from '../../shared/mcp/http/serve.js'
import type { Controlled, ControlledGateways } from './controlled.js'
import { pageRoutes } from './page-files.js'
import { aboutRoutes } from './routes/about.js'
import { catalogueRoutes, faultRoutes } from './routes/faults-and-overlays.js'
import { gatewayRoutes } from './routes/gateways.js'
import { accountRoutes, clockRoutes, rehearsalRoute, replicasRoute, stateRoutes } from './routes/instance.js'
import { journalRoutes, journalStreamRoute } from './routes/journal.js'
import { snapshotRoutes } from './routes/snapshots.js'

/** The HTTP listener that controls an instance. */
export interface ControlPlane {
  /** `http://host:port` */
  readonly url: string
  close(): Promise<void>
}

/**
 * Opens the control plane of an instance. It has its own port, so that the stand-ins have only the routes of
 * the real services.
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
    allowedHosts,
    // Pages of other origins are refused. Otherwise, an agent could serve a page that approves the agent's
    // own calls when the user opens the page in a browser.
    ownPagesOnly: true,
    async handlers(url) {
      const api = createControlApi(controlled, url)
      return { api: async () => api }
    },
  })
  return { url: listener.url, close: () => listener.close() }
}

function createControlApi<Snapshot>(controlled: Controlled<Snapshot>, url: string): HttpHandler {
  const { instance, gateways } = controlled
  const { clock, machine, log } = instance
  const operations: Operation[] = []
  operations.push(
    ...aboutRoutes({ controlled, url, all: () => operations }),
    ...clockRoutes(clock),
    ...journalRoutes(instance.journal),
    journalStreamRoute(instance),
    ...gatewayRoutes(gateways, machine),
    ...approvalRoutes(allApprovals(gateways)),
    ...faultRoutes(instance.faults),
    ...catalogueRoutes(instance.catalogue),
    ...stateRoutes(controlled),
    replicasRoute(instance),
    ...accountRoutes(controlled),
    ...snapshotRoutes(controlled),
    rehearsalRoute(controlled),
    ...pageRoutes(),
  )
  return createCheckedApi({ name: 'control', operations, hint: 'GET / lists all routes', log })
}

/**
 * Joins the approvals of all gateways into one list. Each approval in the list names the server of its
 * gateway. Two approvals of an instance never have the same id.
 */
function allApprovals({ all }: ControlledGateways): ControlledApprovals {
  return {
    list: () =>
      all
        .flatMap(({ view: { server }, approvals }) => approvals.list().map(one => ({ ...one, server })))
        .sort((one, other) => Date.parse(one.at) - Date.parse(other.at)),
    decide(id, decision) {
      const owner = all.find(({ approvals }) => approvals.list().some(one => one.id === id))
      if (owner === undefined) throw unknownApproval(id)
      return { ...owner.approvals.decide(id, decision), server: owner.view.server }
    },
  }
}
