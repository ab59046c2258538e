import type { JournalEntry } from '../journal/entry.js'

/** Maximum of entries and of their request bytes while the store is away. Beyond it, new entries are dropped. */
const BOUND = { entries: 10_000, bytes: 64 * 1024 * 1024 }

/** Maximum of one batch: entries, and their request bytes. */
const BATCH = { entries: 500, bytes: 1024 * 1024 }

interface Batch {
  readonly entries: readonly JournalEntry[]
  /** Number of dropped entries that the store does not know of yet. */
  readonly lost: number
  /** Number of times that the queue had been cleared. */
  readonly clears: number
}

/** The entries that wait to be written, the oldest first. */
export class JournalQueue {
  #entries: JournalEntry[] = []
  #bytes = 0
  #lost = 0
  #clears = 0

  get size(): number {
    return this.#entries.length
  }

  /** Number of dropped entries that the store does not know of yet. */
  get lost(): number {
    return this.#lost
  }

  /** Whether the queue holds a full batch. */
  get full(): boolean {
    return this.#entries.length >= BATCH.entries || this.#bytes >= BATCH.bytes
  }

  add(entry: JournalEntry): void {
    if (this.#entries.length >= BOUND.entries || this.#bytes >= BOUND.bytes) {
      this.#lost++
      return
    }
    this.#entries.push(entry)
    this.#bytes += entry.requestBytes
  }

  /** Returns the next batch to write. The entries stay in the queue until {@link written} removes them. */
  batch(): Batch {
    let bytes = 0
    let count = 0
    for (const { requestBytes } of this.#entries) {
      bytes += requestBytes
      if (count > 0 && (count === BATCH.entries || bytes > BATCH.bytes)) break
      count++
    }
    return { entries: this.#entries.slice(0, count), lost: this.#lost, clears: this.#clears }
  }

  /** Removes a batch that has been written. Does nothing if the queue has been cleared since. */
  written({ entries, lost, clears }: Batch): void {
    if (clears !== this.#clears) return
    this.#entries = this.#entries.slice(entries.length)
    for (const { requestBytes } of entries) this.#bytes -= requestBytes
    this.#lost -= lost
  }

  clear(): void {
    this.#entries = []
    this.#bytes = 0
    this.#lost = 0
    this.#clears++
  }
}
