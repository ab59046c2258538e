import type { AuditEntry } from '../../shared/schemas/audit.js'
import type { JsonLinesFile } from '../../shared/util/json-lines-file.js'

/** Entries kept in memory; the file has them all. */
const MAX_ENTRIES = 10_000

export type AuditListener = (entry: AuditEntry) => void

/** Notes what came of one call. */
export type AuditRecorder = (entry: Omit<AuditEntry, 'seq'>) => void

/** The record of what a gateway let through and what it did not, in the order in which the calls ended. */
export class Audit {
  readonly #listeners = new Set<AuditListener>()
  readonly #onError: (error: unknown) => void
  readonly #file: JsonLinesFile | undefined
  #entries: AuditEntry[] = []
  #seq = 0
  /** Counts how often it was cleared. */
  #clears = 0

  /** @param onError told of a listener that threw */
  constructor(onError: (error: unknown) => void, file?: JsonLinesFile) {
    this.#onError = onError
    this.#file = file
  }

  /** The last entries, oldest first: 10,000 at most. */
  entries(): readonly AuditEntry[] {
    return this.#entries.slice(-MAX_ENTRIES)
  }

  /** Calls `listener` with every entry from now on, until the returned function is called. */
  subscribe(listener: AuditListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Returns the recorder for a call that begins now. If the audit is cleared before its end, only the file gets the entry. */
  recorder(): AuditRecorder {
    const clears = this.#clears
    return entry => {
      const numbered = { seq: ++this.#seq, ...entry }
      this.#file?.append(numbered)
      if (clears === this.#clears) this.#append(numbered)
    }
  }

  /** Clears the entries, and drops those of calls that are still open. `seq` continues. */
  clear(): void {
    this.#entries = []
    this.#clears++
  }

  /** Resolves when all entries are in the file and the file is closed. */
  async close(): Promise<void> {
    this.#listeners.clear()
    await this.#file?.close()
  }
  #append(numbered: AuditEntry): void {
    this.#entries.push(numbered)
    // Trimmed rarely, because moving ten thousand entries costs more than adding one.
    if (this.#entries.length >= 2 * MAX_ENTRIES) this.#entries = this.#entries.slice(-MAX_ENTRIES)
    for (const listener of this.#listeners) {
      try {
        listener(numbered)
      } catch (error) {
        this.#onError(error)
      }
    }
  }
}
