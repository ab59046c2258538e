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
  /** The machine's time, by which waiting times out. */
  machine: Clock
  /** Names this instance in every entry. */
  instance: string
  /** Entries kept in memory before the oldest go. Default 10,000. */
  maxEntries?: number
  /** Bytes of request bodies kept in memory before the oldest go. Default 32 MiB. */
  maxBytes?: number
  /** Also append every ended entry here. */
  file?: JsonLinesFile
  /** Default true. Off, nothing is kept, and what would have to be proved by it is refused: only to measure its cost. */
  enabled?: boolean
  /** Counts what has ended. */
  tally?: Tally
  /** The names that a filter may have. Default: any name. */
  known?: KnownNames
  /** Told of a listener that threw. Default: nobody. */
  onError?: (error: unknown) => void
}

export interface JournalPage {
  entries: JournalEntry[]
  /**
   * To be given as `after` for what comes next. An entry under way is judged as it stands: to learn of its end,
   * subscribe or wait.
   */
  next: number
  /** Number of entries that the ring has dropped, since the beginning or the last clearing. */
  dropped: number
}

/** Told of an entry when it is opened, and again when it has ended. */
export type JournalListener = (entry: JournalEntry) => void

/**
 * The record of what reached the servers: every request, whatever became of it.
 *
 * A ring: past either bound the oldest entries go and `dropped` says how many went.
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
  /** Replaces every entry while the journal is off, and each entry that the ring has dropped. */
  readonly #unkept: JournalEntry
  /** Shares the journal with other instances. Undefined: it is not shared. */
  #share: JournalShare | undefined
  #kept: JournalEntry[] = []
  /** The index in `#kept` of the oldest entry. Moving an index is cheaper than shifting the array for every request. */
  #first = 0
  #bytes = 0
  #seq = 0
  #dropped = 0
  /** Number of times that an entry was opened or ended. */
  #changes = 0
  /** The latest change of an entry that the ring has let go. */
  #lost = 0
  /** The seq up to which the journal has been cleared: what ends of that is no longer told. */
  #cleared = 0

  constructor({ file, tally, known, onError, ...options }: JournalOptions) {
    this.#options = { maxEntries: 10_000, maxBytes: 32 * 1024 * 1024, enabled: true, ...options }
    this.#file = file
    this.#tally = tally
    this.#known = known
    this.#onError = onError ?? (() => undefined)
    this.#unkept = new JournalEntry({ seq: 0, instance: options.instance, atMs: 0, startedMs: 0 }, NO_ARRIVAL)
    this.#unkept.end('ok', 0, 0)
  }

  /** Number of kept entries. */
  get size(): number {
    return this.#kept.length - this.#first
  }

  /** Bytes of request bodies kept. */
  get bytes(): number {
    return this.#bytes
  }

  /** Number of entries that the ring has dropped. */
  get dropped(): number {
    return this.#dropped
  }

  /** Masks the values of a header in every entry from now on. Headers that are named like a credential are masked anyway. */
  maskHeader(name: string): void {
    this.#secretHeaders.add(name.toLowerCase())
  }

  /** Opens the entry of a request that has just arrived. */
  open(arrival: Arrival): JournalEntry {
    const { clock, instance, enabled } = this.#options
    if (!enabled) return this.#unkept
    const origin = { seq: ++this.#seq, instance, atMs: clock.now(), startedMs: machineNow() }
    const entry = new JournalEntry(origin, arrival, this.#secretHeaders)
    this.#keep(entry)
    return entry
  }

  /**
   * Closes an entry with how its request ended; a second close is ignored.
   *
   * @param answer the answer, if it may be kept for a while
   */
  close(entry: JournalEntry, outcome: Outcome, responseBytes = 0, answer?: object | string): void {
    if (entry === this.#unkept) return
    const durationMs = Math.round((machineNow() - entry.startedMs) * 1000) / 1000
    if (!entry.end(outcome, durationMs, responseBytes)) return
    entry.changed = ++this.#changes
    if (answer !== undefined) this.#answers.keep(entry.seq, answer, responseBytes)
    this.#tally?.count(entry)
    this.#file?.append(entry)
    if (entry.seq > this.#cleared) {
      this.#share?.ended(entry)
      if (this.#watchers.size > 0) this.#tell(entry)
    }
    entry.release()
  }

  /**
   * Reads a filter.
   *
   * @throws Refusal `bad_where` for a field or an outcome that does not exist; `unknown_server`, `unknown_tool` or
   *   `unknown_method` for a name that no entry can have
   */
  expected(where: JournalFilter): ExpectedFields {
    const read = readWhere(where)
    if (this.#known !== undefined) {
      requireKnownNames(read, this.#known, part => {
        const expected = expectedOf(part)
        return this.#held().some(entry => matches(entry, expected))
      })
    }
    return expectedOf(read)
  }

  /**
   * The entries still kept that `where` picks, oldest first.
   *
   * @throws Refusal as {@link expected}
   */
  entries(where: JournalFilter = {}): JournalEntry[] {
    const expected = this.expected(where)
    return this.#held().filter(entry => matches(entry, expected))
  }

  /**
   * One entry that is still kept, and what it was answered with.
   *
   * @returns `answer`: as text; null without one, or if it is not kept
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
   * The entries that `where` picks behind a cursor, oldest first. A page ends before its limit once the bodies of its
   * entries have 16 MiB.
   *
   * @throws Refusal as {@link expected}
   */
  page(request: PageRequest = {}): JournalPage {
    const { after = 0, limit = 1000, ...where } = checked(pageSchema, request, 'bad_where', 'where')
    const expected = this.expected(where)
    const entries: JournalEntry[] = []
    let next = after
    let bytes = 0
    for (const entry of this.#held()) {
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
   * Forgets all entries, those under way included. `seq` goes on, and every wait begins anew.
   *
   * @returns resolves when the instances that share the journal have dropped them too. Here it is done at once.
   * @throws Refusal `store_unavailable`
   */
  clear(): Promise<void> {
    this.#forget()
    const elsewhere = this.#share?.cleared() ?? Promise.resolve()
    // The caller may ignore the result.
    elsewhere.catch(() => undefined)
    return elsewhere
  }

  /** Brings in what has ended on other instances that share it. @returns whether all of them could be asked */
  async refresh(): Promise<boolean> {
    return (await this.#share?.refresh()) ?? true
  }

  /** Shares the journal with other instances from now on. */
  shareBy(by: (hands: JournalSink) => JournalShare): void {
    if (!this.#options.enabled) return
    this.#share = by({
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
    this.#lost = 0
    this.#cleared = this.#seq
    this.#answers.clear()
    for (const watcher of this.#watchers) watcher.cleared?.()
  }

  /** Number of changes so far. {@link changesAfter} continues from there. */
  get changes(): number {
    return this.#changes
  }

  /**
   * Returns the entries that were opened or have ended since, in the order of their last change, each once in its
   * current state.
   *
   * @param change see {@link JournalEntry.changed}
   * @param limit the most entries to return. Large bodies make it fewer
   * @returns `complete`: whether the ring has dropped none of them
   */
  changesAfter(change: number, limit: number): { entries: JournalEntry[]; complete: boolean } {
    const changed = this.#held().filter(entry => entry.changed > change)
    changed.sort((one, other) => one.changed - other.changed)
    return { entries: withinReadLimit(changed.slice(0, limit)), complete: this.#lost <= change }
  }

  /** Tells `watcher` of everything from now on, until the returned function is called. */
  watch(watcher: Watcher): () => void {
    this.#watchers.add(watcher)
    return () => void this.#watchers.delete(watcher)
  }

  /** Calls `listener` for every entry from now on, until the returned function is called; what it throws does no harm. */
  subscribe(listener: JournalListener): () => void {
    return this.watch({ entry: listener })
  }

  /**
   * Resolves with the entries that `where` picks once there are `count` of them, past ones included.
   *
   * Without an `outcome` in it an entry counts as soon as it is opened.
   *
   * @throws Refusal `journal_wait`, with the nearest miss, if they have not arrived in time; `bad_wait`; as {@link expected}
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
      held: () => this.#held(),
      watch: watcher => this.watch(watcher),
    })
    return waiter.wait()
  }

  /**
   * Proves that nothing arrived that `where` picks, be it under way or ended. Of other instances that share
   * it, it knows what had ended when it was last brought up to date; see {@link refresh}.
   *
   * @throws Refusal `journal_unexpected` with what did; `journal_incomplete` if the ring has let entries go, among
   *   which there may have been one; as {@link expected}
   */
  expectNothing(where: JournalFilter = {}): void {
    this.#requireEnabled()
    const arrived = this.entries(where)
    const what = inWords(expectedOf(where))
    if (arrived.length > 0) throw unexpected(what, arrived)
    if (this.#dropped === 0) return
    throw new Refusal(
      'journal_incomplete',
      `whether ${what} arrived cannot be told: ${this.#dropped} of the oldest entries are no longer kept`,
      'clear the journal before what is to be proved begins',
    )
  }

  /** Ends every wait. To be called when nothing more will arrive. */
  stop(): void {
    for (const watcher of [...this.#watchers]) watcher.stopped?.()
    this.#watchers.clear()
  }

  #keep(entry: JournalEntry): void {
    entry.changed = ++this.#changes
    this.#kept.push(entry)
    this.#bytes += entry.requestBytes
    this.#trim()
    if (this.#watchers.size > 0) this.#tell(entry)
  }

  #lose(count: number): void {
    this.#dropped += count
    this.#lost = this.#changes
  }

  /** The entry of that seq, while it is kept: those that are have no gap between them. */
  #find(seq: number): JournalEntry | undefined {
    const oldest = this.#kept[this.#first]
    return oldest === undefined || seq < oldest.seq ? undefined : this.#kept[this.#first + seq - oldest.seq]
  }

  #held(): JournalEntry[] {
    return this.#kept.slice(this.#first)
  }

  #tell(entry: JournalEntry): void {
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
    throw new Refusal('journal_off', 'the journal is off, so nothing can be told by it', 'leave it on')
  }

  #trim(): void {
    const { maxEntries, maxBytes } = this.#options
    while (this.#kept.length - this.#first > maxEntries || this.#bytes > maxBytes) {
      const oldest = this.#kept[this.#first]
      if (oldest === undefined || this.#first === this.#kept.length - 1) break
      this.#bytes -= oldest.requestBytes
      this.#lost = Math.max(this.#lost, oldest.changed)
      // In its place, so that nothing refers to what is no longer kept.
      this.#kept[this.#first] = this.#unkept
      this.#first++
      this.#dropped++
    }
    if (this.#first > 64 && this.#first * 2 > this.#kept.length) {
      this.#kept = this.#kept.slice(this.#first)
      this.#first = 0
    }
  }
}
