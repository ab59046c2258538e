import { machineNow } from '../clock/clock.js'
import { wasReset } from '../errors.js'
import type { List, Partition, Summary, Table, Totals } from './partition.js'

export interface TransactionOptions {
  /** Whether the work reads `totals`. They cost a look at every partition of the kind. Default false. */
  totals?: boolean
  /** `replicas` is known if the partition was last active before this instant. Default: it is not. */
  idleBefore?: number
  /** The generation in which the work began. In any other it is refused with `reset`. Default: any. */
  generation?: number
}

/** The facts that a store gives a transaction when it begins. */
export interface StoreFacts {
  /** Of the partition's kind, as committed. Undefined: the option `totals` was not set. */
  readonly totals: Totals | undefined
  /** Undefined: the option `idleBefore` was not set, or the partition was not idle. */
  readonly replicas: readonly number[] | undefined
  readonly generation: number
  /** Undefined: the store is this process. */
  readonly storeTime: number | undefined
}

/** Reads and changes one partition. It is valid while its work runs, and no longer. */
export class Transaction {
  readonly #partition: Partition
  readonly #facts: StoreFacts
  #over = false
  #announced: string | undefined
  #elsewhere = false

  constructor(partition: Partition, facts: StoreFacts) {
    this.#partition = partition
    this.#facts = facts
  }

  /** Records by key. */
  table<Value>(name: string): Table<Value> {
    return this.#open().table<Value>(name)
  }

  /** Records in the order of their numbers. */
  list<Value>(name: string): List<Value> {
    return this.#open().list<Value>(name)
  }

  /** Set it to change it. */
  get summary(): Summary {
    return this.#partition.summary
  }

  set summary(summary: Summary) {
    this.#open().summary = summary
  }

  /** Of the partition's kind, with the changes of this transaction. Requires the option `totals`. */
  get totals(): Totals {
    const { totals } = this.#facts
    if (totals === undefined) throw new TypeError('totals are not known: pass the option totals')
    return this.#partition.changedTotals(totals)
  }

  /** Numbers of the replicas that live. Requires the option `idleBefore`, and a partition that was idle then. */
  get replicas(): readonly number[] {
    const { replicas } = this.#facts
    if (replicas === undefined) throw new TypeError('replicas are not known: pass the option idleBefore')
    return replicas
  }

  /** How often the state of the store has been replaced as a whole. */
  get generation(): number {
    return this.#facts.generation
  }

  /** The time of the store's machine, in milliseconds since the epoch. It is not the time of the instance. */
  get storeTime(): number {
    return this.#facts.storeTime ?? machineNow()
  }

  /**
   * Tells all who watch the partition, on every replica, once the transaction is committed.
   *
   * @param elsewhere whether another replica may be watching. PostgreSQL commits transactions that notify one at a
   *   time, so a notification without a listener is left out. Default true
   */
  announce(detail = '', elsewhere = true): void {
    this.#announced = detail
    this.#elsewhere ||= elsewhere
  }

  /** For the store: the detail to announce with the commit. Undefined: nothing is announced. */
  get announced(): string | undefined {
    return this.#announced
  }

  /** For the store: whether another replica may be watching. */
  get elsewhere(): boolean {
    return this.#elsewhere
  }

  /**
   * For the store: runs `work` and ends the transaction. If `work` throws, the partition is as before.
   *
   * @throws the error that `work` throws; TypeError for a promise; Refusal `reset`
   */
  run<T>(work: (tx: Transaction) => T, { generation }: TransactionOptions): T {
    try {
      if (generation !== undefined && generation !== this.#facts.generation) throw wasReset()
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
