import type { JournalEntry } from '../journal/entry.js'

/**
 * Capacity of the queue: number of entries, and sum of their request bytes. A full queue drops new entries.
 */
const BOUND = { entries: 10_000, bytes: 64 * 1024 * 1024 }

/** Size of one batch: number of entries, and sum of their request bytes. */
const BATCH = { entries: 500, bytes: 1024 * 1024 }

interface Batch {
  readonly entries: readonly JournalEntry[]
  /** Number of dropped entries that the store has not counted yet. */
  readonly lost: number
  /** Number of clears of the queue before the batch was taken. */
  readonly clears: number
}

/** Entries that wait to be written to the store, the oldest first. */
export class JournalQueue {
  #entries: JournalEntry[] = []
  #bytes = 0
  #lost = 0
  #clears = 0

  get size(): number {
    return this.#entries.length
  }

  /** Number of dropped entries that the store has not counted yet. */
  get lost(): number {
    return this.#lost
  }

  /** Whether the entries are enough for a full batch. */
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

  /** Removes a written batch. Does nothing if the queue was cleared after the batch was taken. */
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
