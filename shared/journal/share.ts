import type { EntryJson, JournalEntry } from './entry.js'

/** Shares the entries of a journal with other instances, and receives theirs. */
export interface JournalShare {
  /** Called when an entry has ended. It must neither delay nor fail the call. */
  ended(entry: JournalEntry): void
  /** The journal has been cleared: the others are to be. @throws Refusal `store_unavailable` */
  cleared(): Promise<void>
  /**
   * Brings in all that has ended elsewhere until now.
   *
   * @returns whether all others could be asked
   */
  refresh(): Promise<boolean>
}

/** The functions of a journal that its share calls. */
export interface JournalSink {
  /** Adds an ended entry of another instance. */
  adopt(entry: EntryJson): void
  /** Entries of another instance are gone: nothing can be proved that they might disprove. */
  lose(count: number): void
  /** Called when another instance has cleared the journal. */
  clear(): void
}
