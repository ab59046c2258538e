import { machineNow } from '../clock/clock.js'
import { OneAtATime } from '../util/locks.js'
import { EMPTY_SUMMARY, NO_TOTALS, Partition, type PartitionDump, type Totals } from './partition.js'
import type { NewsListener, Records } from './records.js'
import { Transaction, type TransactionOptions } from './transaction.js'

const ALONE = [0]

/** Keeps records in the memory of one process. They are lost when the process ends. */
export class MemoryRecords implements Records {
  readonly replica = 0
  readonly shared = false
  readonly #partitions = new Map<string, Partition>()
  /** Totals by kind of partition. */
  readonly #totals = new Map<string, Totals>()
  readonly #watched = new Map<string, Set<NewsListener>>()
  readonly #turns = new OneAtATime()
  #generation = 0

  /** Runs `work` immediately. `work` is synchronous, so no other transaction can run at the same time. */
  async transaction<T>(
    name: string,
    work: (tx: Transaction) => T,
    options: TransactionOptions = {},
  ): Promise<T> {
    const partition = this.#partitions.get(name) ?? new Partition(name)
    const tx = new Transaction(partition, {
      totals: options.totals === true ? this.#totalsOf(partition.kind) : undefined,
      replicas: ALONE,
      generation: this.#generation,
      storeTime: machineNow(),
    })
    const result = tx.run(work, options)
    if (partition.finish()) this.#keep(partition)
    if (tx.announcement !== undefined) this.#tell(name, tx.announcement.detail)
    return result
  }

  async partitions(kind: string, idleBefore = Number.POSITIVE_INFINITY): Promise<string[]> {
    const names: string[] = []
    for (const partition of this.#partitions.values()) {
      const { open, activeAt } = partition.summary
      if (partition.kind === kind && open && activeAt < idleBefore) names.push(partition.name)
    }
    return names
  }

  async totals(kind: string): Promise<Totals> {
    return this.#totalsOf(kind)
  }

  watch(partition: string, listener: NewsListener): () => void {
    const listeners = this.#watched.get(partition) ?? new Set()
    this.#watched.set(partition, listeners)
    listeners.add(listener)
    return () => {
      listeners.delete(listener)
      if (listeners.size === 0 && this.#watched.get(partition) === listeners) this.#watched.delete(partition)
    }
  }

  watchKind(): () => void {
    return () => {}
  }

  alone<T>(name: string, work: () => Promise<T>): Promise<T> {
    return this.#turns.run(name, work)
  }

  async dump(scope: string): Promise<PartitionDump[]> {
    const dumps = this.#within(scope).map(partition => partition.dump())
    return dumps.sort((one, other) => (one.name < other.name ? -1 : 1))
  }

  async replace(scope: string, partitions: readonly PartitionDump[]): Promise<void> {
    this.#generation++
    for (const { name, kind } of this.#within(scope)) {
      this.#partitions.delete(name)
      this.#totals.delete(kind)
    }
    for (const { name, summary, records } of partitions) {
      const partition = new Partition(name)
      partition.adopt(records, EMPTY_SUMMARY)
      partition.summary = summary
      this.#keep(partition)
    }
  }

  onReplaced(): void {}
  onGap(): void {}
  onUnavailable(): void {}

  async close(): Promise<void> {
    this.#partitions.clear()
  }

  #keep(partition: Partition): void {
    this.#totals.set(partition.kind, partition.changedTotals(this.#totalsOf(partition.kind)))
    partition.commit()
    if (partition.empty) this.#partitions.delete(partition.name)
    else this.#partitions.set(partition.name, partition)
  }

  #totalsOf(kind: string): Totals {
    return this.#totals.get(kind) ?? NO_TOTALS
  }

  #within(scope: string): Partition[] {
    return [...this.#partitions.values()].filter(({ name }) => name.startsWith(`${scope}/`))
  }

  #tell(partition: string, detail: string): void {
    for (const listener of [...(this.#watched.get(partition) ?? [])]) listener({ own: true, detail })
  }
}
