import type { Clock, Wakeup } from '../../../shared/clock/clock.js'
import type { RwLock } from '../../../shared/util/locks.js'
import type { Log } from '../../../shared/util/log.js'
import type { Contract } from '../contract.js'
import type { DatabaseProvider } from '../databases/provider.js'
import { storageBytesOf } from '../limits.js'
import { databaseName, type Resource } from './model.js'
import type { InstanodeStore } from './store.js'

/** Milliseconds between two rounds of the service's own reaper, under the observed contract. */
const TICK_MS = 5 * 60_000

/** Milliseconds before a failed drop is tried again. */
const RETRY_MS = 60_000

export interface ReaperOptions {
  store: InstanodeStore
  databases: DatabaseProvider
  clock: Clock
  contract: Contract
  log: Log
  /** A round holds the shared lock, as any other work does. */
  lock: RwLock
  /** Start of the observed contract's ticks, in milliseconds since the epoch. */
  ticksFrom: number
}

/**
 * Removes expired resources: drops the database, or empties the receiver's log. Under the observed contract
 * it also checks the sizes of databases, and locks out the owner of one that is too large.
 *
 * A resource's `reapAt` decides whether it is live, before and after the reaper's visit. The reaper only
 * cleans up. `measureAt` is the next check of its size. The reaper asks the clock for one wake-up, the
 * earliest.
 */
export class Reaper {
  readonly #options: ReaperOptions
  readonly #rounds = new Set<Promise<void>>()
  #next: { instant: number; wakeup: Wakeup } | undefined
  #stopped = false

  constructor(options: ReaperOptions) {
    this.#options = options
  }

  /** Returns the instant at which a resource that expires at `instant` is removed. */
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

  /** Returns the instant of a database's next size check. Null: never. */
  nextMeasure(): number | null {
    const { contract, clock } = this.#options
    return contract.locksOverQuota ? this.#tickFrom(clock.now() + 1) : null
  }

  /** Plans a round at `instant` or earlier. Null: no round is needed. */
  watch(instant: number | null): void {
    if (instant === null || this.#stopped) return
    if (this.#next !== undefined && this.#next.instant <= instant) return
    this.#next?.wakeup.cancel()
    this.#next = { instant, wakeup: this.#options.clock.wakeAt(instant, () => this.#comeRound()) }
  }

  /** Plans a round for the resources in the store. */
  async resume(): Promise<void> {
    const visits = await this.#options.store.visits()
    this.watch(visits.reduce<number | null>((next, [, visit]) => Math.min(next ?? visit, visit), null))
  }

  /**
   * Removes one resource if it is due. Of several concurrent calls one does the work.
   *
   * @throws the error of the database provider. The removal is tried again later.
   */
  async reap(token: string): Promise<void> {
    const { store, clock } = this.#options
    const taken = await store.alter(token, resource => {
      const now = clock.now()
      if (resource === undefined || resource.reapAt === null || resource.reapAt > now) return undefined
      const status = resource.status === 'active' ? 'expired' : resource.status
      return { ...resource, status, reapAt: now + RETRY_MS, measureAt: null }
    })
    if (taken === undefined) return
    try {
      await this.#clear(taken)
    } catch (error) {
      this.watch(taken.reapAt)
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

  /** Replaces the planned round by one for the resources in the store. */
  async rearm(): Promise<void> {
    this.#next?.wakeup.cancel()
    this.#next = undefined
    await this.resume()
  }

  /** Starts no more rounds. Resolves when the current round has ended. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#next?.wakeup.cancel()
    await Promise.allSettled(this.#rounds)
  }

  #comeRound(): Promise<void> {
    this.#next = undefined
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
          .catch(error => log.error('an expired resource could not be removed', error))
          .then(() => this.#measure(token)),
      ),
    )
    await this.resume()
  }

  /**
   * Checks a database's size if the check is due. Of several concurrent calls one does the work. A failed
   * check is repeated at the next tick.
   */
  async #measure(token: string): Promise<void> {
    const { store, clock, databases, contract, log } = this.#options
    const name = databaseName(token)
    const taken = await store.alter(token, resource => {
      if (resource === undefined || resource.measureAt === null || resource.measureAt > clock.now())
        return undefined
      return { ...resource, measureAt: this.nextMeasure() }
    })
    if (taken === undefined) return
    try {
      const { sizeBytes } = await databases.stats(name)
      if (sizeBytes <= storageBytesOf(taken.tier, contract)) return
      await databases.block(name)
    } catch (error) {
      return log.error('a database could not be held to its quota', error)
    }
    await store.alter(token, resource =>
      resource?.status === 'active'
        ? { ...resource, status: 'quota_exceeded', reapAt: null, measureAt: null }
        : undefined,
    )
  }

  async #clear({ type, token }: Resource): Promise<void> {
    if (type === 'postgres') await this.#options.databases.drop(databaseName(token))
    else await this.#options.store.forgetDeliveries(token)
  }
}
