import { OneAtATime } from '../util/locks.js'
import { checkName, kindOf, Partition, type PartitionDump } from './partition.js'
import { changedTotals, PartitionTransaction } from './partition-transaction.js'
import type { NewsListener, Records, Totals, Transaction, TransactionOptions } from './records.js'

/** The partitions of one kind. */
interface Kind {
  readonly partitions: Map<string, Partition>
  totals: Totals
}

const ALONE = [0]

/** Records of one process. They are gone with it. */
export class MemoryRecords implements Records {
  readonly replica = 0
  readonly shared = false
  readonly #kinds = new Map<string, Kind>()
  readonly #watched = new Map<string, Set<NewsListener>>()
  readonly #turns = new OneAtATime()
  #generation = 0

  /** Runs at once: nothing else runs while `work` does, because it is synchronous. */
  async transaction<T>(
    name: string,
    work: (tx: Transaction) => T,
    options: TransactionOptions = {},
  ): Promise<T> {
    const kind = this.#kind(kindOf(name))
    const partition = kind.partitions.get(name) ?? newPartition(name)
    const tx = new PartitionTransaction(partition, {
      totals: kind.totals,
      replicas: ALONE,
      generation: this.#generation,
      storeTime: undefined,
    })
    const result = tx.run(work, options)
    if (partition.finish()) {
      kind.totals = changedTotals(kind.totals, partition)
      partition.commit()
      if (partition.empty) kind.partitions.delete(name)
      else kind.partitions.set(name, partition)
    }
    if (tx.announced !== undefined) this.#tell(name, tx.announced)
    return result
  }

  async partitions(kind: string, idleBefore = Number.POSITIVE_INFINITY): Promise<string[]> {
    const names: string[] = []
    for (const { name, summary } of this.#kind(kind).partitions.values()) {
      if (summary.open && summary.activeAt < idleBefore) names.push(name)
    }
    return names
  }

  async totals(kind: string): Promise<Totals> {
    return this.#kind(kind).totals
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
    const dumps: PartitionDump[] = []
    for (const kind of this.#kindsOf(scope)) {
      for (const partition of kind.partitions.values()) dumps.push(partition.dump())
    }
    return dumps.sort((one, other) => (one.name < other.name ? -1 : 1))
  }

  async replace(scope: string, partitions: readonly PartitionDump[]): Promise<void> {
    this.#generation++
    for (const kind of this.#kindsOf(scope)) {
      kind.partitions.clear()
      kind.totals = NOTHING
    }
    for (const dump of partitions) {
      const { open, entries, bytes } = dump.summary
      const kind = this.#kind(kindOf(dump.name))
      kind.partitions.set(dump.name, Partition.from(dump))
      kind.totals = {
        open: kind.totals.open + Number(open),
        entries: kind.totals.entries + entries,
        bytes: kind.totals.bytes + bytes,
      }
    }
  }

  onReplaced(): void {}
  onGap(): void {}
  onUnavailable(): void {}

  async close(): Promise<void> {
    this.#kinds.clear()
  }

  #kind(name: string): Kind {
    const known = this.#kinds.get(name)
    if (known !== undefined) return known
    const kind: Kind = { partitions: new Map(), totals: NOTHING }
    this.#kinds.set(name, kind)
    return kind
  }

  #kindsOf(scope: string): Kind[] {
    return [...this.#kinds].flatMap(([name, kind]) => (name.startsWith(`${scope}/`) ? kind : []))
  }

  #tell(partition: string, detail: string): void {
    for (const listener of [...(this.#watched.get(partition) ?? [])]) listener({ own: true, detail })
  }
}

const NOTHING: Totals = { open: 0, entries: 0, bytes: 0 }

function newPartition(name: string): Partition {
  checkName(name)
  return new Partition(name)
}
