import type { Clock, Wakeup } from '../../../shared/clock/clock.js'
import type { Gate } from '../../../shared/util/locks.js'
import type { Log } from '../../../shared/util/log.js'
import type { Contract } from '../contract.js'
import type { DatabaseProvider } from '../databases/provider.js'
import { storageBytesOf } from '../limits.js'
import { databaseName, type Resource } from './model.js'
import type { InstanodeStore } from './store.js'

/** How often the service's own reaper comes round, under the observed contract. */
const TICK_MS = 5 * 60_000

/** A database that could not be dropped is tried again after this long. */
const RETRY_MS = 60_000

export interface ReaperOptions {
  store: InstanodeStore
  databases: DatabaseProvider
  clock: Clock
  contract: Contract
  log: Log
  /** A round is work like any other. */
  gate: Gate
  /** The ticks of the observed contract are counted from this instant, milliseconds since the epoch. */
  ticksFrom: number
}

/**
 * Takes what is over: drops its database, empties its receiver's log. Under the observed contract it also looks at the
 * sizes of databases, and locks the owner out of one that takes too much.
 *
 * Each resource says by its `reapAt` when it is due, and is judged by that whenever it is read; the reaper only
 * clears up behind. `measureAt` says when its size is looked at next. One wake-up, for the earliest, is all it asks of
 * the clock.
 */
export class Reaper {
  readonly #options: ReaperOptions
  readonly #rounds = new Set<Promise<void>>()
  #next: { instant: number; wakeup: Wakeup } | undefined
  #stopped = false

  constructor(options: ReaperOptions) {
    this.#options = options
  }

  /** When what is over at `instant` is taken. */
  dueAt(instant: number): number {
    if (this.#options.contract.reapsAtOnce) return instant
    return this.#tickFrom(instant)
  }

  /** The first tick that is not before `instant`. */
  #tickFrom(instant: number): number {
    const { ticksFrom } = this.#options
    const ticks = Math.max(1, Math.ceil((instant - ticksFrom) / TICK_MS))
    return ticksFrom + ticks * TICK_MS
  }

  /** When the size of a database is looked at next; null: never. */
  nextMeasure(): number | null {
    const { contract, clock } = this.#options
    return contract.locksOverQuota ? this.#tickFrom(clock.now() + 1) : null
  }

  /** Comes round by `instant` at the latest; null: no need to. */
  watch(instant: number | null): void {
    if (instant === null || this.#stopped) return
    if (this.#next !== undefined && this.#next.instant <= instant) return
    this.#next?.wakeup.cancel()
    this.#next = { instant, wakeup: this.#options.clock.wakeAt(instant, () => this.#comeRound()) }
  }

  /** Comes round for what the store holds from before. */
  async resume(): Promise<void> {
    this.watch((await this.#options.store.nextDue()) ?? null)
  }

  /**
   * Takes one resource, if it is due. Of several that try at once one does the work.
   *
   * @throws whatever the database provider could not do; it is tried again later
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

  /** Comes round for what the store holds now, and for nothing else. */
  async rearm(): Promise<void> {
    this.#next?.wakeup.cancel()
    this.#next = undefined
    await this.resume()
  }

  /** Takes no more; resolves when the round under way is over. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#next?.wakeup.cancel()
    await Promise.allSettled(this.#rounds)
  }

  #comeRound(): Promise<void> {
    this.#next = undefined
    const round = this.#options.gate.pass(() => this.#reapDue()).finally(() => this.#rounds.delete(round))
    this.#rounds.add(round)
    return round
  }

  async #reapDue(): Promise<void> {
    const { store, clock, log } = this.#options
    const due = await store.due(clock.now())
    await Promise.all(
      due.map(token =>
        this.reap(token)
          .catch(error => log.error('an expired resource could not be removed', error))
          .then(() => this.#measure(token)),
      ),
    )
    await this.resume()
  }

  /**
   * Looks at a database's size, if it is time to. Of several that try at once one does; what it cannot
   * judge is looked at again at the next tick.
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
