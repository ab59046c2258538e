import type { Clock } from '../../shared/clock/clock.js'
import type { ContractName } from '../../shared/contract.js'
import type { ControlledInstanode, Gauge } from '../../shared/instance.js'
import type { McpHost } from '../../shared/mcp/host.js'
import { busyGauge, reached } from '../control/reached.js'
import { accountState, stateOf } from './control/state.js'
import type { Core } from './core.js'
import { isLive, type Resource } from './domain/model.js'
import type { Caller } from './service.js'
import type { InstanodeView } from './view.js'

export interface ControlledOptions {
  core: Core
  host: McpHost<Caller>
  clock: Clock
  contract: ContractName
  /** Whether its port can be connected to; undefined: it has none. */
  listening(): boolean | undefined
  /** Where it listens; undefined: nowhere. */
  url(): string | undefined
}

/** The server as a control plane shows and changes it. */
export function controlled({
  core,
  host,
  clock,
  contract,
  listening,
  url,
}: ControlledOptions): ControlledInstanode<InstanodeView> {
  const { store, databases, readiness, plans, urlOf } = core
  return {
    state: request => stateOf({ store, databases, host, clock, contract, urlOf, url }, request),
    async checks() {
      const { platform_db, customer_db, redis } = await readiness.reasons()
      return {
        ...(await reached(host, listening())),
        store: platform_db,
        databases: customer_db,
        deliveries: redis,
      }
    },
    gauges: async () => [busyGauge(host), ...resourceGauges(await store.resources(), clock.now())],
    // What is answered here is read by whoever has just set it, and no secret to them is in it.
    setPlan: async (accountId, plan) => accountState(await plans.change(accountId, plan), false),
  }
}

function resourceGauges(resources: readonly Resource[], now: number): Gauge[] {
  const counts = new Map<string, Gauge>()
  let live = 0
  for (const resource of resources) {
    const { type, tier, status } = resource
    if (type === 'postgres' && isLive(resource, now)) live++
    const labels = { type, tier, status }
    const key = Object.values(labels).join()
    const counted = counts.get(key) ?? { name: 'resources', about: 'Resources ever made', labels, value: 0 }
    counted.value++
    counts.set(key, counted)
  }
  return [...counts.values(), { name: 'databases_live', about: 'Databases in use', labels: {}, value: live }]
}
