import type { Clock } from '../../../shared/clock/clock.js'
import { withinLimit } from '../../../shared/clock/within-limit.js'
import type { IdSource } from '../../../shared/ids.js'
import { RwLock } from '../../../shared/util/locks.js'
import type { Log } from '../../../shared/util/log.js'
import type { Contract } from '../contract.js'
import type { DatabaseProvider } from '../databases/provider.js'
import type { TierLimits } from '../limits.js'
import type { Abortable, AccountToken, Caller, InstanodeService, Provisioned, Removed } from '../service.js'
import { Accounts, Plans, TOKEN_LIFETIME_SECONDS } from './accounts.js'
import type { Resource } from './model.js'
import { Ownership } from './ownership.js'
import { Permanence } from './permanence.js'
import { Provisioning } from './provisioning.js'
import { Reaper } from './reaper.js'
import { Receivers } from './receivers.js'
import type { InstanodeStore } from './store.js'

/** The store of a service, and the values that all replicas on this store must share. */
export interface ServiceStore {
  store: InstanodeStore
  /** Signs account tokens, 32 bytes or more. Default: bytes from the id source. */
  secret?: Buffer
  /**
   * Instant from which the ticks of the observed contract are counted, in milliseconds since the epoch.
   * Default: now.
   */
  ticksFrom?: number
}

export interface LocalServiceOptions extends ServiceStore {
  databases: DatabaseProvider
  clock: Clock
  /** Machine time, for probes of the store and the databases. */
  machine: Clock
  ids: IdSource
  contract: Contract
  log: Log
  /** Returns the receive URL of a receiver on this server. */
  receiveUrl(token: string): string
}

/** The Instanode service in this process: its accounts, databases and receivers. */
export class LocalService implements InstanodeService {
  readonly store: InstanodeStore
  readonly databases: DatabaseProvider
  readonly accounts: Accounts
  readonly reaper: Reaper
  readonly receivers: Receivers
  readonly ownership: Ownership
  readonly plans: Plans
  readonly readiness: Readiness
  readonly provisioning: Provisioning
  /** Every operation takes this lock as shared. A reset, a restore and a snapshot take it exclusively. */
  readonly lock = new RwLock()
  readonly #receiveUrl: LocalServiceOptions['receiveUrl']

  constructor(options: LocalServiceOptions) {
    const { store, databases, clock, machine, ids, contract, log, receiveUrl } = options
    const { secret = ids.stream('jwt').bytes(32), ticksFrom = clock.now() } = options
    const { lock } = this
    this.store = store
    this.databases = databases
    this.#receiveUrl = receiveUrl
    this.accounts = new Accounts(store, clock, secret)
    this.reaper = new Reaper({ store, databases, clock, contract, log, lock, ticksFrom })
    const { accounts, reaper } = this
    const permanence = new Permanence({ databases, reaper, clock, contract, log })
    const shared = { store, accounts, databases, permanence, reaper, clock, contract, log, lock }
    this.ownership = new Ownership(shared)
    this.provisioning = new Provisioning({
      ...shared,
      ids: ids.stream('resources'),
      receiveUrl,
      urlOf: resource => this.urlOf(resource),
    })
    this.receivers = new Receivers({ store, clock, ids: ids.stream('deliveries'), contract, log, lock })
    this.plans = new Plans(shared)
    this.readiness = new Readiness({ store, databases, machine, log })
  }

  createPostgres(caller: Caller, name: string, call?: Abortable): Promise<Provisioned<TierLimits>> {
    return this.lock.shared(() =>
      this.provisioning.create('postgres', caller, name, { signal: call?.signal }),
    )
  }

  createWebhook(caller: Caller, name: string): Promise<Provisioned<TierLimits>> {
    return this.lock.shared(() => this.provisioning.create('webhook', caller, name))
  }

  list(caller: Caller): Promise<Resource[]> {
    return this.lock.shared(() => this.ownership.list(caller))
  }

  claim(caller: Caller, token: string): Promise<Resource> {
    return this.lock.shared(() => this.ownership.claim(caller, token))
  }

  remove(caller: Caller, token: string): Promise<Removed> {
    return this.lock.shared(() => this.ownership.remove(caller, token))
  }

  mintToken({ bearer }: Caller): Promise<AccountToken> {
    return this.lock.shared(async () => {
      const account = await this.accounts.require(bearer)
      return { token: await this.accounts.mint(account), expiresInSeconds: TOKEN_LIFETIME_SECONDS }
    })
  }

  /** See {@link Accounts.delegate}. */
  delegate(bearer: string): ReturnType<Accounts['delegate']> {
    return this.lock.shared(() => this.accounts.delegate(bearer))
  }

  /**
   * Returns the URL of a resource. A receive URL always points to this server, even if another replica
   * created the receiver.
   */
  urlOf({ type, token, url }: Resource): string {
    return type === 'webhook' ? this.#receiveUrl(token) : url
  }
}

/** Milliseconds in which each part must answer, as in the real service. */
const PROBE_MS = 500

/** A token that no resource has. Looking it up proves that the store answers. */
const UNUSED_TOKEN = '00000000-0000-0000-0000-000000000000'

interface ReadinessOptions {
  store: InstanodeStore
  databases: DatabaseProvider
  /** Machine time, because a manual clock must not stop the time-out of a probe. */
  machine: Clock
  log: Log
}

/**
 * The results for the databases, the store and the log of deliveries. The keys are those of the real service.
 */
interface ReadinessChecks {
  customer_db: Check
  platform_db: Check
  redis: Check
}

type Check = 'ok' | 'ping_failed'

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
