import type { Clock } from '../../../shared/clock/clock.js'
import { withinLimit } from '../../../shared/clock/within-limit.js'
import type { Log } from '../../../shared/util/log.js'
import type { DatabaseProvider } from '../databases/provider.js'
import type { InstanodeStore } from './store.js'

/** Milliseconds in which each part must answer, as in the real service. */
const PROBE_MS = 500

/** A token that no resource has. Looking it up proves that the store answers. */
const UNUSED_TOKEN = '00000000-0000-0000-0000-000000000000'

export interface ReadinessOptions {
  store: InstanodeStore
  databases: DatabaseProvider
  /** Machine time, because a manual clock must not stop the time-out of a probe. */
  machine: Clock
  log: Log
}

/**
 * The results for the databases, the store and the log of deliveries. The keys are those of the real service.
 */
export interface ReadinessChecks {
  customer_db: Check
  platform_db: Check
  redis: Check
}

export type Check = 'ok' | 'ping_failed'

/**
 * Checks that the databases, the store and the log of deliveries answer. An embedded engine that has not
 * started counts as ready, because it starts when it is needed.
 */
export class Readiness {
  readonly #options: ReadinessOptions

  constructor(options: ReadinessOptions) {
    this.#options = options
  }

  /** Probes all parts at once, for `/readyz` of the service. */
  async check(): Promise<ReadinessChecks> {
    const { platform_db, customer_db, redis } = await this.reasons()
    return { customer_db: check(customer_db), platform_db: check(platform_db), redis: check(redis) }
  }

  /** Probes all parts at once, for the operator. @returns `ok` or the error message for each part */
  async reasons(): Promise<Record<keyof ReadinessChecks, string>> {
    const { store, databases } = this.#options
    const [platform_db, customer_db, redis] = await Promise.all([
      this.#probe('the store', () => store.find(UNUSED_TOKEN)),
      this.#probe('the database provider', () => databases.ready()),
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
      log.warn(`${what} is not ready`, error)
      return error instanceof Error ? error.message : String(error)
    }
  }
}

function check(reason: string): Check {
  return reason === 'ok' ? 'ok' : 'ping_failed'
}
