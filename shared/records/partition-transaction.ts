import { machineNow } from '../clock/clock.js'
import { wasReset } from '../errors.js'
import type { List, Partition, Summary, Table } from './partition.js'
import type { Totals, Transaction, TransactionOptions } from './records.js'

/** What is known when a transaction enters its partition. */
export interface Entry {
  /** Of the partition's kind, as committed. Undefined: nobody asked. */
  readonly totals: Totals | undefined
  /** Undefined: nobody asked, or the partition was not idle. */
  readonly replicas: readonly number[] | undefined
  readonly generation: number
  /** Undefined: the store is this process. */
  readonly storeTime: number | undefined
}

/** A transaction on one partition, in memory or on PostgreSQL. */
export class PartitionTransaction implements Transaction {
  readonly #partition: Partition
  readonly #entry: Entry
  #over = false
  /** What is announced with the commit. Undefined: nothing. */
  announced: string | undefined
  /** Whether another replica may be watching. */
  elsewhere = false

  constructor(partition: Partition, entry: Entry) {
    this.#partition = partition
    this.#entry = entry
  }

  /** Runs `work`. If it throws, the partition is as before. @throws whatever `work` throws; Refusal `reset` */
  run<T>(work: (tx: Transaction) => T, { generation }: TransactionOptions): T {
    try {
      if (generation !== undefined && generation !== this.#entry.generation) throw wasReset()
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

  table<Value>(name: string): Table<Value> {
    return this.#open().table<Value>(name)
  }

  list<Value>(name: string): List<Value> {
    return this.#open().list<Value>(name)
  }

  get summary(): Summary {
    return this.#partition.summary
  }

  set summary(summary: Summary) {
    this.#open().summary = summary
  }

  get totals(): Totals {
    const { totals } = this.#entry
    if (totals === undefined) throw new TypeError('totals were not asked for: pass the option totals')
    return changedTotals(totals, this.#partition)
  }

  get replicas(): readonly number[] {
    const { replicas } = this.#entry
    if (replicas === undefined) throw new TypeError('replicas are not known: pass the option idleBefore')
    return replicas
  }

  get generation(): number {
    return this.#entry.generation
  }

  get storeTime(): number {
    return this.#entry.storeTime ?? machineNow()
  }

  announce(detail = '', elsewhere = true): void {
    this.announced = detail
    this.elsewhere ||= elsewhere
  }

  #open(): Partition {
    if (this.#over) throw new TypeError(`a transaction in ${this.#partition.name} is over`)
    return this.#partition
  }
}

/** Totals with what the transaction under way in one partition has changed. */
export function changedTotals(totals: Totals, { summary, summaryBefore }: Partition): Totals {
  if (summary === summaryBefore) return totals
  return {
    open: totals.open + Number(summary.open) - Number(summaryBefore.open),
    entries: totals.entries + summary.entries - summaryBefore.entries,
    bytes: totals.bytes + summary.bytes - summaryBefore.bytes,
  }
}
