import type { EntryJson, JournalEntry } from './entry.js'

/** Whoever keeps a journal for other instances as well, and has from them what reached those. */
export interface JournalShare {
  /** An entry has ended. It is taken as it is, costs its call nothing, and never fails it. */
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

/** What a journal lets its share do with it. */
export interface JournalHands {
  /** Takes in an entry of another instance, that has ended there. */
  adopt(entry: EntryJson): void
  /** Entries of another instance are gone: nothing can be proved that they might disprove. */
  lose(count: number): void
  /** It has been cleared elsewhere. */
  clear(): void
}
