import type { Refusal } from '../errors.js'
import type { List, PartitionDump, Summary, Table } from './partition.js'

/** The sums of all partitions of one kind. */
export interface Totals {
  /** How many partitions are open. */
  readonly open: number
  readonly entries: number
  readonly bytes: number
}

/** Tells that a partition has news: new data that waiting requests may want. */
export interface News {
  /** Whether a transaction of this replica announced it. */
  readonly own: boolean
  /** What the announcement said. Undefined if its notification was lost and a poll found it. */
  readonly detail: string | undefined
}

export type NewsListener = (news: News) => void

/** Reads and changes one partition. It is valid while its work runs, and no longer. */
export interface Transaction {
  /** Records by key. */
  table<Value>(name: string): Table<Value>
  /** Records in the order of their numbers. */
  list<Value>(name: string): List<Value>
  /** Set it to change it. */
  summary: Summary
  /** Of the partition's kind, with what this transaction has changed. Requires the option `totals`. */
  readonly totals: Totals
  /** Numbers of the replicas that live. Requires the option `idleBefore`, and a partition that was idle then. */
  readonly replicas: readonly number[]
  /** How often the state of the store has been replaced as a whole. */
  readonly generation: number
  /** The time of the store's machine, in milliseconds since the epoch. It is not the time of the instance. */
  readonly storeTime: number
  /**
   * Tells all who watch the partition, on every replica, once the transaction is committed.
   *
   * @param elsewhere whether another replica may be watching. PostgreSQL commits transactions that notify one at a
   *   time, so a notification that nobody hears is left out. Default true
   */
  announce(detail?: string, elsewhere?: boolean): void
}

export interface TransactionOptions {
  /** Whether the work reads `totals`. They cost a look at every partition of the kind. Default false. */
  totals?: boolean
  /** `replicas` is known if the partition was last active before this instant. Default: it is not. */
  idleBefore?: number
  /** The generation in which the work began. In any other it is refused with `reset`. Default: any. */
  generation?: number
}

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
