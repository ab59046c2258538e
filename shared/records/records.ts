import type { Refusal } from '../errors.js'
import type { PartitionDump, Totals } from './partition.js'
import type { Transaction, TransactionOptions } from './transaction.js'

/** Tells that a partition has news: new data that waiting requests may want. */
export interface News {
  /** Whether a transaction of this replica announced it. */
  readonly own: boolean
  /** The detail of the announcement. Undefined: its notification was lost, and a poll found it. */
  readonly detail: string | undefined
}

export type NewsListener = (news: News) => void

/**
 * The state of an instance: records, grouped in partitions that are named `scope/kind/id`.
 *
 * A record is a plain value. It is replaced, never changed in place. Work inside a transaction is synchronous.
 * Transactions on one partition run one at a time, on all replicas together.
 */
export interface Records {
  /** The number of this replica. 0 if the records are in memory. */
  readonly replica: number
  /** Whether other replicas share the records. */
  readonly shared: boolean

  /**
   * Runs `work` alone in a partition that is up to date. If `work` throws, its changes are dropped. It may run again
   * if a connection breaks.
   *
   * @param work returns its result at once; a promise is an error
   * @throws Refusal `store_unavailable`, `bad_record`, `reset`; whatever `work` throws
   */
  transaction<T>(partition: string, work: (tx: Transaction) => T, options?: TransactionOptions): Promise<T>

  /** The names of the open partitions of a kind. @param idleBefore only those last active before this instant */
  partitions(kind: string, idleBefore?: number): Promise<string[]>
  totals(kind: string): Promise<Totals>

  /** Calls `listener` for each announcement in a partition, until the returned function is called. */
  watch(partition: string, listener: NewsListener): () => void
  /** Calls `listener` for each announcement of another replica in any partition of a kind. Lost ones are not found. */
  watchKind(kind: string, listener: (id: string, detail: string) => void): () => void

  /** Runs `work` while no replica runs other work of that name. @throws Refusal `store_busy`, `store_unavailable` */
  alone<T>(name: string, work: () => Promise<T>): Promise<T>

  /** All partitions of a scope at one moment, sorted by name. */
  dump(scope: string): Promise<PartitionDump[]>
  /** Replaces all partitions of a scope in one step, and begins the next generation. */
  replace(scope: string, partitions: readonly PartitionDump[]): Promise<void>
  /** Calls `listener` when another replica has begun a new generation. */
  onReplaced(listener: () => void): void

  /** Calls `listener` when notifications may have been lost and the store can be reached again. */
  onGap(listener: () => void): void
  /** Calls `listener` when the store cannot be reached any more. */
  onUnavailable(listener: (refusal: Refusal) => void): void

  close(): Promise<void>
}
