import type { Clock } from '../../../shared/clock/clock.js'
import { withinLimit } from '../../../shared/clock/within-limit.js'
import type { Log } from '../../../shared/util/log.js'
import type { DatabaseProvider } from '../databases/provider.js'
import type { InstanodeStore } from './store.js'

/** Milliseconds that the service allows each of its parts. */
const PROBE_MS = 500

/** A token that no resource has. The look-up reaches the store and finds nothing. */
const UNUSED_TOKEN = '00000000-0000-0000-0000-000000000000'

export interface ReadinessOptions {
  store: InstanodeStore
  databases: DatabaseProvider
  /** The machine's time, by which a part that does not answer times out. */
  machine: Clock
  log: Log
}

/** The parts that the service depends on, under the service's own names. */
export interface ReadinessChecks {
  customer_db: Check
  platform_db: Check
  redis: Check
}

export type Check = 'ok' | 'ping_failed'

/**
 * Checks whether the service could do its work now. A database that is not started yet is ready, because it
 * starts when needed.
 */
export class Readiness {
  readonly #options: ReadinessOptions

  constructor(options: ReadinessOptions) {
    this.#options = options
  }

  /** Checks all parts at once. */
  async check(): Promise<ReadinessChecks> {
    const { platform_db, customer_db, redis } = await this.reasons()
    return { customer_db: check(customer_db), platform_db: check(platform_db), redis: check(redis) }
  }

  /** Checks all parts at once. Gives `ok` or the reason for each. */
  async reasons(): Promise<Record<keyof ReadinessChecks, string>> {
    const { store, databases } = this.#options
    const [platform_db, customer_db, redis] = await Promise.all([
      this.#probe('the store', () => store.find(UNUSED_TOKEN)),
      this.#probe('the source of databases', () => databases.ready()),
      this.#probe('the log of deliveries', () => store.deliveries(UNUSED_TOKEN)),
    ])
    return { customer_db, platform_db, redis }
  }

  async #probe(what: string, probe: () => Promise<unknown>): Promise<string> {
    const { machine, log } = this.#options
    try {
      await withinLimit({ machine, ms: PROBE_MS, what: `asking ${what}` }, probe)
      return 'ok'
    } catch (error) {
      log.warn(`${what} did not answer that it is ready`, error)
      return error instanceof Error ? error.message : String(error)
    }
  }
}

function check(reason: string): Check {
  return reason === 'ok' ? 'ok' : 'ping_failed'
}
