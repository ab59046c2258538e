import type { Clock } from '../../shared/clock/clock.js'
import { withinLimit } from '../../shared/clock/within-limit.js'
import type { Checks, ControlledServer, Gauge } from '../../shared/instance.js'
import type { StoreDatabase } from '../../shared/records/store-database.js'

/** Maximum time of a check, in milliseconds. It is longer than the time limits of a server's own checks. */
const PROBE_MS = 2000

/** A server that can check its parts. */
type Checked = Pick<ControlledServer<unknown>, 'checks'>

/** Runs one check. @returns `ok`, or the message of its error */
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
  const looked = await Promise.all(
    Object.entries(servers).flatMap(([name, server]) =>
      server === undefined ? [] : [look(machine, name, server)],
    ),
  )
  const failed = looked.flatMap(([name, checks]) =>
    Object.entries(checks).flatMap(([what, found]) => (found === 'ok' ? [] : [`${name} ${what}: ${found}`])),
  )
  return { checks: Object.fromEntries(looked), failed }
}

async function look(machine: Clock, name: string, server: Checked): Promise<[name: string, checks: Checks]> {
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
    notices: store.notices.available ? 'ok' : 'they are not heard just now',
  }
}

/**
 * Returns the gauges of a store. If the store does not answer, returns only `store_available` with the value
 * 0.
 */
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
