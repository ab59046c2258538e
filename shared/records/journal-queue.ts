import type { JournalEntry } from '../journal/entry.js'

/** Entries, and bytes of their bodies, that wait for a store that is away, before the latest are let go. */
const BOUND = { entries: 10_000, bytes: 64 * 1024 * 1024 }

/** What is written at once. */
const BATCH = { entries: 500, bytes: 1024 * 1024 }

interface Batch {
  readonly entries: readonly JournalEntry[]
  /** How many were let go, and have not been told of. */
  readonly lost: number
  /** How often the queue had been cleared. */
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

  /** How many were let go and have not been told of yet. */
  get lost(): number {
    return this.#lost
  }

  /** Whether there is enough for a batch. */
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

  /** What is to be written next; it stays until it is {@link written}. */
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

  /** What was in a batch has been written, unless the queue has been cleared since. */
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
