import { wasReset } from '../errors.js'
import type { List, Partition, Summary, Table, Totals } from './partition.js'

export interface TransactionOptions {
  /** Whether the work reads `totals`. Totals require a read of every partition of the kind. Default false. */
  totals?: boolean
  /**
   * Makes `replicas` available if the partition was last active before this instant. Default: `replicas` is
   * not available.
   */
  idleBefore?: number
  /**
   * The generation in which the work began. A transaction in another generation is refused with `reset`.
   * Default: any.
   */
  generation?: number
}

/** Facts that the store provides at the beginning of a transaction. */
export interface StoreFacts {
  /** The committed totals of the partition's kind. Undefined: the option `totals` was not set. */
  readonly totals: Totals | undefined
  /**
   * The numbers of the live replicas. Undefined: the option `idleBefore` was not set, or the partition was
   * not idle.
   */
  readonly replicas: readonly number[] | undefined
  readonly generation: number
  /** The time of the store's machine, in milliseconds since the epoch. */
  readonly storeTime: number
}

/** The announcement that a transaction makes after its commit. See `Transaction.announce`. */
interface Announcement {
  readonly detail: string
  readonly elsewhere: boolean
}

/** Reads and changes one partition. It is valid only while its work runs. */
export class Transaction {
  /** Number of times that the whole state has been replaced. */
  readonly generation: number
  /**
   * The time of the store's machine, in milliseconds since the epoch. It differs from the time of the
   * instance's clock.
   */
  readonly storeTime: number
  readonly #partition: Partition
  readonly #facts: StoreFacts
  #over = false
  #announcement: Announcement | undefined

  constructor(partition: Partition, facts: StoreFacts) {
    this.#partition = partition
    this.#facts = facts
    this.generation = facts.generation
    this.storeTime = facts.storeTime
  }

  /** Records by key. */
  table<Value>(name: string): Table<Value> {
    return this.#open().table<Value>(name)
  }

  /** Records in the order of their numbers. */
  list<Value>(name: string): List<Value> {
    return this.#open().list<Value>(name)
  }

  /** The summary of the partition. Assign a new object to change it. */
  get summary(): Summary {
    return this.#partition.summary
  }

  set summary(summary: Summary) {
    this.#open().summary = summary
  }

  /**
   * The totals of the partition's kind, including the changes of this transaction. Requires the option
   * `totals`.
   */
  get totals(): Totals {
    const { totals } = this.#facts
    if (totals === undefined) throw new TypeError('totals are not known: pass the option totals')
    return this.#partition.changedTotals(totals)
  }

  /**
   * Numbers of the live replicas. Requires the option `idleBefore`, and a partition that was last active
   * before that instant.
   */
  get replicas(): readonly number[] {
    const { replicas } = this.#facts
    if (replicas === undefined) throw new TypeError('replicas are not known: pass the option idleBefore')
    return replicas
  }

  /**
   * Notifies the watchers of the partition on every replica after the commit.
   *
   * @param elsewhere whether other replicas may be watching. If not, no PostgreSQL notification is sent,
   *   because PostgreSQL commits transactions with notifications one at a time. Default true
   */
  announce(detail = '', elsewhere = true): void {
    this.#announcement = { detail, elsewhere: elsewhere || this.#announcement?.elsewhere === true }
  }

  /** For the store: the announcement to make after the commit. Undefined: none. */
  get announcement(): Announcement | undefined {
    return this.#announcement
  }

  /**
   * For the store: runs `work` and ends the transaction. If `work` throws, its changes are undone.
   *
   * @throws the error of `work`, TypeError if `work` returns a promise, or Refusal `reset`
   */
  run<T>(work: (tx: Transaction) => T, { generation }: TransactionOptions): T {
    try {
      if (generation !== undefined && generation !== this.generation) throw wasReset()
      const result = work(this)
      if (result instanceof Promise) {
        result.catch(() => undefined)
        throw new TypeError(
          `work in ${this.#partition.name} returned a promise: a transaction is synchronous`,
        )
      }
      return result
    } catch (error) {
      this.#partition.undo()
      throw error
    } finally {
      this.#over = true
    }
  }

  #open(): Partition {
    if (this.#over) throw new TypeError(`a transaction in ${this.#partition.name} is over`)
    return this.#partition
  }
}
