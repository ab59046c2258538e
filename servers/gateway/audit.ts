import type { AuditEntry } from '../../shared/schemas/audit.js'
import type { JsonLinesFile } from '../../shared/util/json-lines-file.js'

/** Maximum number of entries that can be read from memory. The file has all entries. */
const MAX_ENTRIES = 10_000

export type AuditListener = (entry: AuditEntry) => void

/** Records the outcome of one call. */
export type AuditRecorder = (entry: Omit<AuditEntry, 'seq'>) => void

/** The record of the calls that a gateway has allowed or denied, in the order in which the calls ended. */
export class Audit {
  readonly #listeners = new Set<AuditListener>()
  readonly #onError: (error: unknown) => void
  readonly #file: JsonLinesFile | undefined
  #entries: AuditEntry[] = []
  #seq = 0
  /** Number of times that the audit was cleared. */
  #clears = 0

  /** @param onError called with the error that a listener threw */
  constructor(onError: (error: unknown) => void, file?: JsonLinesFile) {
    this.#onError = onError
    this.#file = file
  }

  /** Returns the last entries, at most 10,000, the oldest first. */
  entries(): readonly AuditEntry[] {
    return this.#entries.slice(-MAX_ENTRIES)
  }

  /** Calls `listener` with every new entry. The returned function ends the subscription. */
  subscribe(listener: AuditListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /**
   * Returns the recorder for a call that begins now. If the audit is cleared before the call ends, only the
   * file gets the entry.
   */
  recorder(): AuditRecorder {
    const clears = this.#clears
    return entry => {
      const numbered = { seq: ++this.#seq, ...entry }
      this.#file?.append(numbered)
      if (clears === this.#clears) this.#append(numbered)
    }
  }

  /** Removes all entries, and ignores the later entries of calls that are open now. `seq` continues. */
  clear(): void {
    this.#entries = []
    this.#clears++
  }

  /** Resolves when the file has all entries and is closed. */
  async close(): Promise<void> {
    this.#listeners.clear()
    await this.#file?.close()
  }
  #append(numbered: AuditEntry): void {
    this.#entries.push(numbered)
    // The list is trimmed rarely, because moving ten thousand entries costs more than adding one.
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
