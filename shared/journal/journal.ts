import { type Clock, machineNow } from '../clock/clock.js'
import { type Arrival, JournalEntry, type Outcome } from './entry.js'
import type { JournalFile } from './file.js'

export interface JournalOptions {
  clock: Clock
  /** Names this instance in every entry. */
  instance: string
  /** Entries kept in memory before the oldest go. Default 10,000. */
  maxEntries?: number
  /** Bytes of request bodies kept in memory before the oldest go. Default 64 MiB. */
  maxBytes?: number
  /** Also append every ended entry here. */
  file?: JournalFile
}

/** What an entry must equal to be picked. */
export type JournalFilter = Partial<
  Pick<JournalEntry, 'server' | 'tool' | 'caller' | 'outcome' | 'method' | 'session'>
>

/**
 * The record of what reached the servers: every request, whatever became of it.
 *
 * A ring: past either bound the oldest entries go and `dropped` says how many went.
 */
export class Journal {
  readonly #options: Required<Pick<JournalOptions, 'clock' | 'instance' | 'maxEntries' | 'maxBytes'>>
  readonly #file: JournalFile | undefined
  #kept: JournalEntry[] = []
  /** Where the ring begins in `#kept`: moving this is cheap, shifting an array for every request is not. */
  #first = 0
  #bytes = 0
  #seq = 0
  #dropped = 0

  constructor(options: JournalOptions) {
    this.#options = {
      clock: options.clock,
      instance: options.instance,
      maxEntries: options.maxEntries ?? 10_000,
      maxBytes: options.maxBytes ?? 64 * 1024 * 1024,
    }
    this.#file = options.file
  }

  /** How many entries the ring has let go. */
  get dropped(): number {
    return this.#dropped
  }

  /** Opens the entry of a request that has just arrived. */
  open(arrival: Arrival): JournalEntry {
    const { clock, instance } = this.#options
    const entry = new JournalEntry(++this.#seq, instance, clock.now(), machineNow(), arrival)
    this.#kept.push(entry)
    this.#bytes += entry.requestBytes
    this.#trim()
    return entry
  }

  /** Closes an entry with how its request ended; a second close is ignored. */
  close(entry: JournalEntry, outcome: Outcome, responseBytes = 0): void {
    const durationMs = Math.round((machineNow() - entry.startedMs) * 1000) / 1000
    if (entry.end(outcome, durationMs, responseBytes)) this.#file?.append(entry)
  }

  /** The entries still kept that equal `filter` in every field it names, oldest first. */
  entries(filter: JournalFilter = {}): JournalEntry[] {
    const wanted = Object.entries(filter)
    return this.#kept
      .slice(this.#first)
      .filter(entry => wanted.every(([field, value]) => Reflect.get(entry, field) === value))
  }

  #trim(): void {
    const { maxEntries, maxBytes } = this.#options
    while (this.#kept.length - this.#first > maxEntries || this.#bytes > maxBytes) {
      const oldest = this.#kept[this.#first]
      if (oldest === undefined || this.#first === this.#kept.length - 1) break
      this.#bytes -= oldest.requestBytes
      this.#first++
      this.#dropped++
    }
    if (this.#first > 64 && this.#first * 2 > this.#kept.length) {
      this.#kept = this.#kept.slice(this.#first)
      this.#first = 0
    }
  }
}
