import type { Refusal } from '../errors.js'
import type { PartitionDump, Totals } from './partition.js'
import type { Transaction, TransactionOptions } from './transaction.js'

/** An announcement: a partition has new data that waiting requests may need. */
export interface News {
  /** Whether a transaction of this replica made the announcement. */
  readonly own: boolean
  /**
   * The detail of the announcement. Undefined: this replica read the store before it received the
   * notification, if any.
   */
  readonly detail: string | undefined
}

export type NewsListener = (news: News) => void

/**
 * The state of an instance: records, grouped in partitions with names of the form `scope/kind/id`.
 *
 * A record is a plain value. To change a record, replace its value. Work inside a transaction is synchronous.
 * Only one transaction at a time runs on a partition, across all replicas.
 */
export interface Records {
  /** The number of this replica. 0 if the records are in memory. */
  readonly replica: number
  /** Whether other replicas share the records. */
  readonly shared: boolean

  /**
   * Updates a partition and runs `work` in it, while no other transaction runs there. If `work` throws, its
   * changes are dropped. If a connection breaks, `work` may run again.
   *
   * @param work returns its result synchronously. A promise is an error
   * @throws Refusal `store_unavailable`, `bad_record` or `reset`, or the error that `work` throws
   */
  transaction<T>(partition: string, work: (tx: Transaction) => T, options?: TransactionOptions): Promise<T>

  /**
   * Returns the names of the open partitions of a kind.
   *
   * @param idleBefore only partitions last active before this instant
   */
  partitions(kind: string, idleBefore?: number): Promise<string[]>
  totals(kind: string): Promise<Totals>

  /** Calls `listener` for each announcement in a partition. Returns a function that removes the listener. */
  watch(partition: string, listener: NewsListener): () => void
  /**
   * Calls `listener` for each announcement of another replica in any partition of a kind. A lost notification
   * is not repeated.
   */
  watchKind(kind: string, listener: (id: string, detail: string) => void): () => void

  /**
   * Runs `work` while no replica runs other work with the same name.
   *
   * @throws Refusal `store_busy`, `store_unavailable`
   */
  alone<T>(name: string, work: () => Promise<T>): Promise<T>

  /** Returns all partitions of a scope at one moment, sorted by name. */
  dump(scope: string): Promise<PartitionDump[]>
  /** Replaces all partitions of a scope in one step, and starts the next generation. */
  replace(scope: string, partitions: readonly PartitionDump[]): Promise<void>
  /** Calls `listener` when another replica has started a new generation. */
  onReplaced(listener: () => void): void

  /** Calls `listener` when the store is reachable again after notifications may have been lost. */
  onGap(listener: () => void): void
  /** Calls `listener` when the store becomes unreachable. */
  onUnavailable(listener: (refusal: Refusal) => void): void

  close(): Promise<void>
}
