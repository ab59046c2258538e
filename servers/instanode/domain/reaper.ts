import type { Clock, Wakeup } from '../../../shared/clock/clock.js'
import type { RwLock } from '../../../shared/util/locks.js'
import type { Log } from '../../../shared/util/log.js'
import type { Contract } from '../contract.js'
import type { DatabaseProvider } from '../databases/provider.js'
import { storageBytesOf } from '../limits.js'
import { databaseName, type Resource } from './model.js'
import type { InstanodeStore } from './store.js'

/** Milliseconds between two rounds of the real service's reaper. The observed contract uses them. */
const TICK_MS = 5 * 60_000

/** Milliseconds before a failed drop is tried again. */
const RETRY_MS = 60_000

export interface ReaperOptions {
  store: InstanodeStore
  databases: DatabaseProvider
  clock: Clock
  contract: Contract
  log: Log
  /** The lock of the service. A round takes it as shared, so that no reset happens during a round. */
  lock: RwLock
  /** Instant from which the ticks of the observed contract are counted, in milliseconds since the epoch. */
  ticksFrom: number
}

/**
 * Removes expired and deleted resources: drops the database, or empties the log of the receiver. Under the
 * observed contract, the reaper also checks the sizes of databases and locks out the owner of a database that
 * is too large.
 *
 * A resource stops being live at its `reapAt`, even if the reaper comes later. So a
 * late round delays the clean-up and nothing else. The reaper asks the clock for
 * one wake-up at a time, for the earliest `reapAt` or `measureAt` of all resources.
 */
export class Reaper {
  readonly #options: ReaperOptions
  readonly #rounds = new Set<Promise<void>>()
  #planned: { instant: number; wakeup: Wakeup } | undefined
  #stopped = false

  constructor(options: ReaperOptions) {
    this.#options = options
  }

  /**
   * Returns the instant at which a resource that expires at `instant` is removed. Both in milliseconds since
   * the epoch.
   */
  dueAt(instant: number): number {
    if (this.#options.contract.reapsAtOnce) return instant
    return this.#tickFrom(instant)
  }

  /** Returns the first tick at or after `instant`. */
  #tickFrom(instant: number): number {
    const { ticksFrom } = this.#options
    const ticks = Math.max(1, Math.ceil((instant - ticksFrom) / TICK_MS))
    return ticksFrom + ticks * TICK_MS
  }

  /** Returns the instant of the next size check of a database. Null: the contract has no size checks. */
  nextMeasure(): number | null {
    const { contract, clock } = this.#options
    return contract.locksOverQuota ? this.#tickFrom(clock.now() + 1) : null
  }

  /** Plans a round at `instant`, unless an earlier round is planned. Null: plans nothing. */
  planRound(instant: number | null): void {
    if (instant === null || this.#stopped) return
    if (this.#planned !== undefined && this.#planned.instant <= instant) return
    this.#planned?.wakeup.cancel()
    this.#planned = { instant, wakeup: this.#options.clock.wakeAt(instant, () => this.#startRound()) }
  }

  /** Plans a round at the earliest instant at which a resource in the store is due. */
  async planNextRound(): Promise<void> {
    const visits = await this.#options.store.visits()
    this.planRound(visits.reduce<number | null>((next, [, visit]) => Math.min(next ?? visit, visit), null))
  }

  /**
   * Removes one resource if it is due. If several calls for one resource overlap, one of them does the work.
   *
   * @throws the error of the database provider. A later round tries the removal again.
   */
  async reap(token: string): Promise<void> {
    const { store, clock } = this.#options
    const due = await store.alter(token, resource => {
      const now = clock.now()
      if (resource === undefined || resource.reapAt === null || resource.reapAt > now) return undefined
      const status = resource.status === 'active' ? 'expired' : resource.status
      return { ...resource, status, reapAt: now + RETRY_MS, measureAt: null }
    })
    if (due === undefined) return
    try {
      await this.#removeContent(due)
    } catch (error) {
      this.planRound(due.reapAt)
      throw error
    }
    await store.alter(
      token,
      resource =>
        resource && {
          ...resource,
          status: resource.status === 'deleted' ? 'reaped' : resource.status,
          reapAt: null,
        },
    )
  }

  /** Cancels the planned round and plans one for the resources that are now in the store. */
  async replan(): Promise<void> {
    this.#planned?.wakeup.cancel()
    this.#planned = undefined
    await this.planNextRound()
  }

  /** Stops the reaper. Resolves when the current round has ended. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#planned?.wakeup.cancel()
    await Promise.allSettled(this.#rounds)
  }

  #startRound(): Promise<void> {
    this.#planned = undefined
    const round = this.#options.lock.shared(() => this.#reapDue()).finally(() => this.#rounds.delete(round))
    this.#rounds.add(round)
    return round
  }

  async #reapDue(): Promise<void> {
    const { store, clock, log } = this.#options
    const now = clock.now()
    const due = (await store.visits()).filter(([, visit]) => visit <= now)
    await Promise.all(
      due.map(([token]) =>
        this.reap(token)
          .catch(error =>
            log.error(
              'an expired or deleted resource could not be removed; it is tried again in ' +
                `${RETRY_MS / 1000} s`,
              error,
            ),
          )
          .then(() => this.#checkSize(token)),
      ),
    )
    await this.planNextRound()
  }

  /**
   * Checks the size of a database if a check is due, and locks out the owner of a database that is too large.
   * If several calls for one database overlap, one of them does the work. A failed check is repeated at the
   * next tick.
   */
  async #checkSize(token: string): Promise<void> {
    const { store, clock, databases, contract, log } = this.#options
    const name = databaseName(token)
    const due = await store.alter(token, resource => {
      if (resource === undefined || resource.measureAt === null || resource.measureAt > clock.now())
        return undefined
      return { ...resource, measureAt: this.nextMeasure() }
    })
    if (due === undefined) return
    try {
      const { sizeBytes } = await databases.stats(name)
      if (sizeBytes <= storageBytesOf(due.tier, contract)) return
      await databases.block(name)
    } catch (error) {
      return log.error(
        `the size of the database ${name} could not be checked; the next tick tries again`,
        error,
      )
    }
    await store.alter(token, resource =>
      resource?.status === 'active'
        ? { ...resource, status: 'quota_exceeded', reapAt: null, measureAt: null }
        : undefined,
    )
  }

  async #removeContent({ type, token }: Resource): Promise<void> {
    if (type === 'postgres') await this.#options.databases.drop(databaseName(token))
    else await this.#options.store.forgetDeliveries(token)
  }
}
