import type { Clock } from '../../shared/clock/clock.js'
import { withinLimit } from '../../shared/clock/within-limit.js'
import type { Checks, ControlledServer, Gauge } from '../../shared/instance.js'
import type { StoreDatabase } from '../../shared/records/store-database.js'

/** Time limit of a check, in milliseconds. A server's own checks have shorter limits, so they end first. */
const PROBE_MS = 2000

/** A server that can check its parts. */
type Checked = Pick<ControlledServer<unknown>, 'checks'>

/** Runs one check. @returns `ok`, or the message of the error that the check threw */
export async function probe(machine: Clock, ask: () => Promise<unknown>): Promise<string> {
  try {
    await withinLimit({ machine, ms: PROBE_MS, what: 'the check' }, ask)
    return 'ok'
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** Checks all servers at the same time. */
export async function probeAll(
  machine: Clock,
  servers: Readonly<Record<string, Checked | undefined>>,
): Promise<{ checks: Record<string, Checks>; failed: string[] }> {
  const results = await Promise.all(
    Object.entries(servers).flatMap(([name, server]) =>
      server === undefined ? [] : [checkServer(machine, name, server)],
    ),
  )
  const failed = results.flatMap(([name, checks]) =>
    Object.entries(checks).flatMap(([part, result]) =>
      result === 'ok' ? [] : [`${name} ${part}: ${result}`],
    ),
  )
  return { checks: Object.fromEntries(results), failed }
}

async function checkServer(
  machine: Clock,
  name: string,
  server: Checked,
): Promise<[name: string, checks: Checks]> {
  try {
    return [name, await withinLimit({ machine, ms: PROBE_MS, what: 'the check' }, () => server.checks())]
  } catch (error) {
    return [name, { server: error instanceof Error ? error.message : String(error) }]
  }
}

/** Checks that a store answers and that its notifications arrive. */
export async function storeChecks(store: StoreDatabase, machine: Clock): Promise<Checks> {
  return {
    postgres: await probe(machine, () => store.ping()),
    notices: store.notices.available ? 'ok' : 'the connection that receives notifications is down',
  }
}

/**
 * Returns the gauges of a store. If the store does not answer, returns only `store_available` with the value
 * 0.
 */
export async function storeGauges(store: StoreDatabase): Promise<Gauge[]> {
  const available = (value: number): Gauge => ({
    name: 'store_available',
    about: '1 if the store answers, 0 if it does not',
    labels: {},
    value,
  })
  try {
    const { length: value } = await store.replicas()
    return [available(1), { name: 'store_replicas', about: 'Running replicas', labels: {}, value }]
  } catch {
    return [available(0)]
  }
}
