import type { EntryJson } from '../../../shared/journal/entry.js'
import { type LogKind, MAX_ROWS } from './log.js'

/** A call with its current journal entry. */
export interface LoggedCall {
  readonly entry: EntryJson
  /** Machine time of the call's arrival, in milliseconds since the epoch. */
  readonly wallMs: number
}

/** Keeps the latest calls in the order of their `seq`. */
export class CallLog {
  #calls: LoggedCall[] = []
  /** The lowest recorded seq. `dropped` is computed from it, because the seqs of a journal have no gaps. */
  #first = Number.POSITIVE_INFINITY

  /** The calls, the oldest first. */
  get calls(): readonly LoggedCall[] {
    return this.#calls
  }

  /** Number of recorded entries that the log no longer keeps. */
  get dropped(): number {
    const [oldest] = this.#calls
    return oldest === undefined ? 0 : oldest.entry.seq - this.#first
  }

  /** Adds a new entry, or replaces it once it has ended. */
  take(entry: EntryJson): void {
    this.#first = Math.min(this.#first, entry.seq)
    const call = { entry, wallMs: Date.parse(entry.wall) }
    const at = this.#placeOf(entry.seq)
    const known = this.#calls[at]?.entry.seq === entry.seq
    this.#calls.splice(at, known ? 1 : 0, call)
    if (this.#calls.length > MAX_ROWS) this.#calls.shift()
  }

  clear(): void {
    this.#calls = []
    this.#first = Number.POSITIVE_INFINITY
  }

  /**
   * Returns the index of an entry, or the index at which it must be inserted. Searches from the end, because
   * most entries are new.
   */
  #placeOf(seq: number): number {
    let at = this.#calls.length
    while (at > 0 && (this.#calls[at - 1]?.entry.seq ?? 0) >= seq) at--
    return at
  }
}

/** Returns the name of a call: its tool, or else its method. */
export function nameOf({ tool, method }: EntryJson): string {
  return tool ?? method ?? 'unnamed request'
}

/** The log of calls. */
export const CALLS: LogKind<LoggedCall> = {
  seqOf: ({ entry }) => entry.seq,
  wordsOf: ({ entry }) => `${entry.caller} ${nameOf(entry)} ${entry.server}`,
  checks: {
    'tools only': ({ entry }) => entry.tool !== null,
    'failed only': ({ entry: { outcome } }) => outcome !== null && outcome !== 'ok',
  },
}
