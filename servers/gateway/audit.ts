import type { AuditEntry } from '../../shared/schemas/audit.js'
import type { JsonLinesFile } from '../../shared/util/json-lines-file.js'

/** Maximum number of entries in memory. The file contains all entries. */
const MAX_ENTRIES = 10_000

export type AuditListener = (entry: AuditEntry) => void

/** Adds the entry of one call to the audit. */
export type AuditRecorder = (entry: Omit<AuditEntry, 'seq'>) => void

/** Records the calls that a gateway has allowed or denied, in the order in which the calls end. */
export class Audit {
  readonly #listeners = new Set<AuditListener>()
  readonly #onError: (error: unknown) => void
  readonly #file: JsonLinesFile | undefined
  #entries: AuditEntry[] = []
  #seq = 0
  /** Number of times that the audit was cleared. */
  #clears = 0

  /** @param onError receives the error of a listener that throws */
  constructor(onError: (error: unknown) => void, file?: JsonLinesFile) {
    this.#onError = onError
    this.#file = file
  }

  /** Returns the latest 10,000 entries, the oldest first. */
  entries(): readonly AuditEntry[] {
    return this.#entries.slice(-MAX_ENTRIES)
  }

  /** Calls `listener` with every new entry. The returned function removes the listener. */
  subscribe(listener: AuditListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /**
   * Returns the recorder for a call that begins now. If the audit is cleared before the call ends, the entry
   * of the call is written only to the file.
   */
  recorder(): AuditRecorder {
    const clears = this.#clears
    return entry => {
      const numbered = { seq: ++this.#seq, ...entry }
      this.#file?.append(numbered)
      if (clears === this.#clears) this.#append(numbered)
    }
  }

  /** Removes all entries from memory. Calls that are open now add no entry. The numbers in `seq` continue. */
  clear(): void {
    this.#entries = []
    this.#clears++
  }

  /** Closes the file. Resolves when all entries have been written. */
  async close(): Promise<void> {
    this.#listeners.clear()
    await this.#file?.close()
  }
  #append(numbered: AuditEntry): void {
    this.#entries.push(numbered)
    // Each trim copies ten thousand entries, which is slow. Most calls therefore do not trim.
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
