import type { Clock } from '../../shared/clock/clock.js'
import type { Checks, Gauge } from '../../shared/instance.js'
import type { StoreDatabase } from '../../shared/records/store-database.js'
import { probe } from './probe.js'

/** Whether a store answers, and what the other replicas say is heard. */
export async function storeChecks(store: StoreDatabase, machine: Clock): Promise<Checks> {
  return {
    postgres: await probe(machine, () => store.ping()),
    notices: store.notices.available ? 'ok' : 'they are not heard just now',
  }
}

/** The figures of a store; of one that is away, that it is. */
export async function storeGauges(store: StoreDatabase): Promise<Gauge[]> {
  const available = (value: number): Gauge => ({
    name: 'store_available',
    about: 'Whether the store answers',
    labels: {},
    value,
  })
  try {
    const { length: value } = await store.replicas()
    return [available(1), { name: 'store_replicas', about: 'Replicas that live', labels: {}, value }]
  } catch {
    return [available(0)]
  }
}
