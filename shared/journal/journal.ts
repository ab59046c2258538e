import { type Clock, machineNow } from '../clock/clock.js'
import { Refusal } from '../errors.js'
import { checked } from '../util/check.js'
import type { JsonLinesFile } from '../util/json-lines-file.js'
import { type Arrival, JournalEntry, NO_ARRIVAL, type Outcome } from './entry.js'
import { KeptAnswers } from './kept-answers.js'
import type { JournalShare, JournalSink } from './share.js'
import type { Tally } from './tally.js'
import { inWords, unexpected, Waiter, type Watcher } from './waiter.js'
import {
  type ExpectedFields,
  expectedOf,
  type JournalFilter,
  type KnownNames,
  MAX_READ_BYTES,
  matches,
  type PageRequest,
  pageSchema,
  readWhere,
  requireKnownNames,
  type WaitOptions,
  waitSchema,
  withinReadLimit,
} from './where.js'

export interface JournalOptions {
  clock: Clock
  /** The machine's time, by which waits time out. */
  machine: Clock
  /** The name of this instance in every entry. */
  instance: string
  /** Maximum number of entries in memory. Beyond it, the oldest entries are dropped. Default 10,000. */
  maxEntries?: number
  /** Maximum size of all request bodies in memory, in bytes. Works like `maxEntries`. Default 32 MiB. */
  maxBytes?: number
  /** Every entry that has ended is appended to this file. Default: no file. */
  file?: JsonLinesFile
  /** Default true. False only measures the cost: the journal keeps no entries and refuses every proof. */
  enabled?: boolean
  /** Counts the ended entries. */
  tally?: Tally
  /** The names that a filter can contain. Default: any name. */
  known?: KnownNames
  /** Called with the error of a listener that threw. Default: the error is ignored. */
  onError?: (error: unknown) => void
}

export interface JournalPage {
  entries: JournalEntry[]
  /**
   * Pass it as `after` to get the next page. Later pages do not repeat an entry of this page that was still
   * in progress. To learn how such an entry ends, subscribe or wait.
   */
  next: number
  /** Number of entries that the ring has dropped since the start or the last clear. */
  dropped: number
}

/** Called with an entry when it is opened, and again when it has ended. */
export type JournalListener = (entry: JournalEntry) => void

/**
 * The record of every request that reached the servers, whatever its outcome.
 *
 * The entries are in a ring. Beyond a maximum, the oldest entries are dropped, and `dropped` counts them.
 */
export class Journal {
  readonly #options: Required<Omit<JournalOptions, 'file' | 'tally' | 'known' | 'onError'>>
  readonly #file: JsonLinesFile | undefined
  readonly #tally: Tally | undefined
  readonly #known: KnownNames | undefined
  readonly #onError: (error: unknown) => void
  readonly #secretHeaders = new Set<string>()
  readonly #watchers = new Set<Watcher>()
  readonly #answers = new KeptAnswers()
  /** Takes the place of each entry that the ring has dropped, and of every entry of a disabled journal. */
  readonly #dummy: JournalEntry
  /** Exchanges entries with other instances. Undefined if the journal is not shared. */
  #share: JournalShare | undefined
  #kept: JournalEntry[] = []
  /**
   * Index of the oldest entry in `#kept`. A drop only moves this index, because shifting an array is slow.
   */
  #first = 0
  #bytes = 0
  #seq = 0
  #dropped = 0
  /** Number of times that an entry was opened or ended. */
  #changes = 0
  /** The largest `changed` value of the dropped entries. */
  #lastDroppedChange = 0
  /** The last `seq` that a clear has removed. Watchers are not notified when a removed entry ends. */
  #clearedSeq = 0

  constructor({ file, tally, known, onError, ...options }: JournalOptions) {
    this.#options = { maxEntries: 10_000, maxBytes: 32 * 1024 * 1024, enabled: true, ...options }
    this.#file = file
    this.#tally = tally
    this.#known = known
    this.#onError = onError ?? (() => undefined)
    this.#dummy = new JournalEntry({ seq: 0, instance: options.instance, atMs: 0, startedMs: 0 }, NO_ARRIVAL)
    this.#dummy.end('ok', 0, 0)
  }

  /** Number of kept entries. */
  get size(): number {
    return this.#kept.length - this.#first
  }

  /** Bytes of the request bodies in memory. */
  get bytes(): number {
    return this.#bytes
  }

  /** Number of entries that the ring has dropped. */
  get dropped(): number {
    return this.#dropped
  }

  /** Masks a header in all later entries. Headers whose names suggest a credential are always masked. */
  maskHeader(name: string): void {
    this.#secretHeaders.add(name.toLowerCase())
  }

  /** Opens the entry of a request that has just arrived. */
  open(arrival: Arrival): JournalEntry {
    const { clock, instance, enabled } = this.#options
    if (!enabled) return this.#dummy
    const origin = { seq: ++this.#seq, instance, atMs: clock.now(), startedMs: machineNow() }
    const entry = new JournalEntry(origin, arrival, this.#secretHeaders)
    this.#keep(entry)
    return entry
  }

  /**
   * Closes an entry with the outcome of its request. A second close is ignored.
   *
   * @param answer the answer to keep for a while. Undefined: no answer is kept
   */
  close(entry: JournalEntry, outcome: Outcome, responseBytes = 0, answer?: object | string): void {
    if (entry === this.#dummy) return
    const durationMs = Math.round((machineNow() - entry.startedMs) * 1000) / 1000
    if (!entry.end(outcome, durationMs, responseBytes)) return
    entry.changed = ++this.#changes
    if (answer !== undefined) this.#answers.keep(entry.seq, answer, responseBytes)
    this.#tally?.count(entry)
    this.#file?.append(entry)
    if (entry.seq > this.#clearedSeq) {
      this.#share?.ended(entry)
      if (this.#watchers.size > 0) this.#notify(entry)
    }
    entry.release()
  }

  /**
   * Checks a filter, and returns the fields that are compared.
   *
   * @throws Refusal `bad_where` for an unknown field or outcome
   * @throws Refusal `unknown_server`, `unknown_tool` or `unknown_method` for a name that no entry can have
   */
  expected(where: JournalFilter): ExpectedFields {
    const read = readWhere(where)
    if (this.#known !== undefined) {
      requireKnownNames(read, this.#known, part => {
        const expected = expectedOf(part)
        return this.#keptEntries().some(entry => matches(entry, expected))
      })
    }
    return expectedOf(read)
  }

  /**
   * Returns the kept entries that match `where`, oldest first.
   *
   * @throws Refusal as {@link expected}
   */
  entries(where: JournalFilter = {}): JournalEntry[] {
    const expected = this.expected(where)
    return this.#keptEntries().filter(entry => matches(entry, expected))
  }

  /**
   * Returns a kept entry and its answer.
   *
   * @returns `answer`: the answer as text, or null if the request has no answer or it is no longer kept
   * @throws Refusal `unknown_entry`
   */
  find(seq: number): { entry: JournalEntry; answer: string | null } {
    const entry = this.#find(seq)
    if (entry !== undefined) return { entry, answer: this.#answers.of(seq) }
    const oldest = this.#kept[this.#first]?.seq
    throw new Refusal(
      'unknown_entry',
      `the journal has no entry ${seq}`,
      oldest === undefined ? 'it is empty' : `it has ${oldest} to ${this.#seq}`,
    )
  }

  /**
   * Returns the entries that match `where` and have a `seq` higher than `after`, oldest first. A page ends
   * early when the bodies of its entries exceed 16 MiB.
   *
   * @throws Refusal as {@link expected}
   */
  page(request: PageRequest = {}): JournalPage {
    const { after = 0, limit = 1000, ...where } = checked(pageSchema, request, 'bad_where', 'where')
    const expected = this.expected(where)
    const entries: JournalEntry[] = []
    let next = after
    let bytes = 0
    for (const entry of this.#keptEntries()) {
      if (entry.seq <= after) continue
      if (entries.length === limit || bytes > MAX_READ_BYTES) break
      next = entry.seq
      if (!matches(entry, expected)) continue
      entries.push(entry)
      bytes += entry.requestBytes
    }
    return { entries, next, dropped: this.#dropped }
  }

  /**
   * Removes all entries, including those in progress. Later entries continue `seq`. Waits count from 0 again.
   *
   * @returns resolves when the journals of other instances are cleared. This journal is cleared immediately
   * @throws Refusal `store_unavailable`
   */
  clear(): Promise<void> {
    this.#forget()
    const elsewhere = this.#share?.cleared() ?? Promise.resolve()
    // Prevents an unhandled rejection if the caller ignores the result.
    elsewhere.catch(() => undefined)
    return elsewhere
  }

  /** Fetches the entries that have ended on other instances. @returns false if one could not be asked */
  async refresh(): Promise<boolean> {
    return (await this.#share?.refresh()) ?? true
  }

  /** Shares the journal with other instances from now on. Does nothing if the journal is disabled. */
  shareBy(createShare: (sink: JournalSink) => JournalShare): void {
    if (!this.#options.enabled) return
    this.#share = createShare({
      adopt: json => this.#keep(JournalEntry.from(json, ++this.#seq)),
      lose: count => this.#lose(count),
      clear: () => this.#forget(),
    })
  }

  #forget(): void {
    this.#kept = []
    this.#first = 0
    this.#bytes = 0
    this.#dropped = 0
    this.#lastDroppedChange = 0
    this.#clearedSeq = this.#seq
    this.#answers.clear()
    for (const watcher of this.#watchers) watcher.cleared?.()
  }

  /** Number of changes so far. Pass it to {@link changesAfter} to read later changes. */
  get changes(): number {
    return this.#changes
  }

  /**
   * Returns the entries that were opened or have ended after a change, in the order of their last change. An
   * entry that was opened and has ended appears once.
   *
   * @param change see {@link JournalEntry.changed}
   * @param limit maximum number of entries. If their bodies are large, fewer are returned
   * @returns `complete`: false if the ring has dropped one of these entries
   */
  changesAfter(change: number, limit: number): { entries: JournalEntry[]; complete: boolean } {
    const changed = this.#keptEntries().filter(entry => entry.changed > change)
    changed.sort((one, other) => one.changed - other.changed)
    return { entries: withinReadLimit(changed.slice(0, limit)), complete: this.#lastDroppedChange <= change }
  }

  /** Notifies `watcher` of every change from now on. Returns a function that ends the notifications. */
  watch(watcher: Watcher): () => void {
    this.#watchers.add(watcher)
    return () => void this.#watchers.delete(watcher)
  }

  /** Calls `listener` for every change from now on. Returns a function that ends the calls. */
  subscribe(listener: JournalListener): () => void {
    return this.watch({ entry: listener })
  }

  /**
   * Waits until `count` entries match `where`, and returns them. Entries that are already kept count too.
   *
   * Without an `outcome` in `where`, an entry counts when it is opened.
   *
   * @throws Refusal `journal_wait` (time-out, with the nearest miss), `bad_wait`, or as {@link expected}
   */
  async waitFor(where: JournalFilter, { signal, ...options }: WaitOptions = {}): Promise<JournalEntry[]> {
    this.#requireEnabled()
    const { machine } = this.#options
    const { count = 1, timeoutMs = 5000 } = checked(waitSchema, options, 'bad_wait', 'waitFor')
    const waiter = new Waiter({
      expected: this.expected(where),
      count,
      timeoutMs,
      signal,
      machine,
      entries: () => this.#keptEntries(),
      watch: watcher => this.watch(watcher),
    })
    return waiter.wait()
  }

  /**
   * Proves that no entry matches `where`, neither in progress nor ended. The proof covers only those entries
   * of other instances that had ended at the last {@link refresh}.
   *
   * @throws Refusal `journal_unexpected` with the matching entries, or the errors of {@link expected}
   * @throws Refusal `journal_incomplete` if the ring has dropped entries, because a dropped entry could
   *   have matched
   */
  expectNothing(where: JournalFilter = {}): void {
    this.#requireEnabled()
    const arrived = this.entries(where)
    const what = inWords(expectedOf(where))
    if (arrived.length > 0) throw unexpected(what, arrived)
    if (this.#dropped === 0) return
    throw new Refusal(
      'journal_incomplete',
      `the journal cannot prove that ${what} did not arrive: ${this.#dropped} of the oldest entries are no longer kept`,
      'clear the journal before the calls that the proof is about',
    )
  }

  /** Ends every wait. Call it when no more requests can arrive. */
  stop(): void {
    for (const watcher of [...this.#watchers]) watcher.stopped?.()
    this.#watchers.clear()
  }

  #keep(entry: JournalEntry): void {
    entry.changed = ++this.#changes
    this.#kept.push(entry)
    this.#bytes += entry.requestBytes
    this.#trim()
    if (this.#watchers.size > 0) this.#notify(entry)
  }

  #lose(count: number): void {
    this.#dropped += count
    this.#lastDroppedChange = this.#changes
  }

  /** Returns the entry with a `seq` if it is kept. Kept entries have consecutive `seq` values. */
  #find(seq: number): JournalEntry | undefined {
    const oldest = this.#kept[this.#first]
    return oldest === undefined || seq < oldest.seq ? undefined : this.#kept[this.#first + seq - oldest.seq]
  }

  #keptEntries(): JournalEntry[] {
    return this.#kept.slice(this.#first)
  }

  #notify(entry: JournalEntry): void {
    for (const watcher of this.#watchers) {
      try {
        watcher.entry(entry)
      } catch (error) {
        this.#onError(error)
      }
    }
  }

  #requireEnabled(): void {
    if (this.#options.enabled) return
    throw new Refusal('journal_off', 'the journal is off, so it proves nothing', 'leave out journal: false')
  }

  #trim(): void {
    const { maxEntries, maxBytes } = this.#options
    while (this.#kept.length - this.#first > maxEntries || this.#bytes > maxBytes) {
      const oldest = this.#kept[this.#first]
      if (oldest === undefined || this.#first === this.#kept.length - 1) break
      this.#bytes -= oldest.requestBytes
      this.#lastDroppedChange = Math.max(this.#lastDroppedChange, oldest.changed)
      // The dummy lets the dropped entry's memory be freed.
      this.#kept[this.#first] = this.#dummy
      this.#first++
      this.#dropped++
    }
    if (this.#first > 64 && this.#first * 2 > this.#kept.length) {
      this.#kept = this.#kept.slice(this.#first)
      this.#first = 0
    }
  }
}
