import type { EntryJson, JournalEntry } from './entry.js'

/** Shares the entries of a journal with other instances, and receives the entries of those instances. */
export interface JournalShare {
  /** Called when an entry has ended. It must neither delay the request of that entry nor make it fail. */
  ended(entry: JournalEntry): void
  /**
   * Called when the journal has been cleared. Clears the journals of the other instances.
   *
   * @throws Refusal `store_unavailable`
   */
  cleared(): Promise<void>
  /**
   * Fetches all entries that have ended on other instances so far.
   *
   * @returns false if one of the other instances could not be asked
   */
  refresh(): Promise<boolean>
}

/** The functions of a journal that its share calls. */
export interface JournalSink {
  /** Adds an ended entry of another instance. */
  adopt(entry: EntryJson): void
  /** Called when `count` entries of another instance are lost. Proofs that need every entry then fail. */
  lose(count: number): void
  /** Called when another instance has cleared the journal. */
  clear(): void
}
