import type { Clock, Wakeup } from '../clock/clock.js'
import { Refusal } from '../errors.js'
import { shown } from '../util/shown.js'
import type { JournalEntry } from './entry.js'
import { differences, type ExpectedFields, fieldOf, matches } from './where.js'

/**
 * Maximum size of all request bodies that a waiter keeps, in bytes. A waiter keeps its matching entries even
 * if the journal drops them.
 */
const MAX_BYTES = 64 * 1024 * 1024

/** Maximum number of unexpected entries that an error lists. */
const LISTED = 20

/** Receives the changes of the journal. */
export interface Watcher {
  /** Called when an entry was opened or has ended. */
  entry(entry: JournalEntry): void
  /** Called when the journal was cleared. Entries from before the clear no longer count. */
  cleared?(): void
  /** Called when no more entries will come. */
  stopped?(): void
}

export interface WaiterOptions {
  expected: ExpectedFields
  count: number
  timeoutMs: number
  signal: AbortSignal | undefined
  /** The clock of the time limit: that of the machine, because the clock of the instance can stand still. */
  machine: Clock
  /** Returns the entries that the journal keeps, to find earlier matches and the nearest miss. */
  entries(): readonly JournalEntry[]
  /** Adds a watcher. Returns a function that removes it. */
  watch(watcher: Watcher): () => void
}

/**
 * Waits for matching entries, including entries that are already in the journal.
 *
 * It remembers the matching entries. So an entry counts only once, although it matches again when it ends.
 */
export class Waiter implements Watcher {
  readonly #options: WaiterOptions
  readonly #found = new Set<JournalEntry>()
  #bytes = 0
  #settle: { resolve(entries: JournalEntry[]): void; reject(reason: unknown): void } | undefined
  #unwatch: (() => void) | undefined
  #timeout: Wakeup | undefined

  constructor(options: WaiterOptions) {
    this.#options = options
  }

  /**
   * Waits until enough entries have matched, and returns them in the order of their `seq`.
   *
   * @throws Refusal `journal_wait` on time-out or if the bodies are too large
   * @throws Refusal `journal_stopped` when the instance closes
   * @throws the reason of `signal`
   */
  async wait(): Promise<JournalEntry[]> {
    const { entries, watch, machine, timeoutMs, signal, count } = this.#options
    signal?.throwIfAborted()
    for (const entry of entries()) this.#keepIfMatching(entry)
    if (this.#found.size >= count) return this.#inOrder()
    const settled = new Promise<JournalEntry[]>((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
    const aborted = () => this.#settle?.reject(signal?.reason)
    signal?.addEventListener('abort', aborted)
    this.#unwatch = watch(this)
    try {
      this.#timeout = machine.wakeAt(machine.now() + timeoutMs, () => this.#settle?.reject(this.#tooLate()))
      return await settled
    } finally {
      this.#unwatch()
      this.#timeout?.cancel()
      signal?.removeEventListener('abort', aborted)
    }
  }

  entry(entry: JournalEntry): void {
    this.#keepIfMatching(entry)
    if (this.#found.size >= this.#options.count) this.#settle?.resolve(this.#inOrder())
    else if (this.#bytes > MAX_BYTES) this.#settle?.reject(this.#tooLarge())
  }

  cleared(): void {
    this.#found.clear()
    this.#bytes = 0
  }

  stopped(): void {
    const { expected } = this.#options
    this.#settle?.reject(
      new Refusal('journal_stopped', `the instance was closed before ${inWords(expected)} arrived`),
    )
  }

  #keepIfMatching(entry: JournalEntry): void {
    if (this.#found.has(entry) || !matches(entry, this.#options.expected)) return
    this.#found.add(entry)
    this.#bytes += entry.requestBytes
  }

  #inOrder(): JournalEntry[] {
    return [...this.#found].sort((one, other) => one.seq - other.seq)
  }

  #tooLarge(): Refusal {
    const { expected, count } = this.#options
    return new Refusal(
      'journal_wait',
      `${inWords(expected)} arrived ${this.#found.size} times instead of ${count}, and the bodies already exceed ${MAX_BYTES} bytes`,
      'wait for fewer entries at once',
    )
  }

  #tooLate(): Refusal {
    const { expected, count, timeoutMs, entries } = this.#options
    const what = inWords(expected)
    const missing =
      count === 1 ? `${what} did not arrive` : `${what} arrived ${this.#found.size} times instead of ${count}`
    return new Refusal(
      'journal_wait',
      `${missing} within ${timeoutMs} ms; ${nearestMiss(entries(), expected)}`,
      'correct the filter or the call, or raise timeoutMs',
    )
  }
}

/** Describes a filter in words, such as `tool "ack_task", outcome "ok"`. An empty filter is `anything`. */
export function inWords(expected: ExpectedFields): string {
  return expected.length === 0
    ? 'anything'
    : expected.map(([field, value]) => `${field} ${shown(value)}`).join(', ')
}

/** Formats an entry as one line: number, caller, tool or method, and outcome. */
function asLine({ seq, caller, tool, method, outcome }: JournalEntry): string {
  return `#${seq} ${caller || 'an unknown caller'} ${tool ?? method ?? 'no message'} ${outcome ?? 'under way'}`
}

/**
 * Describes the entry that differs least from the filter, with its differences. Usually a difference shows a
 * misspelled name.
 */
function nearestMiss(entries: readonly JournalEntry[], expected: ExpectedFields): string {
  let nearest: { entry: JournalEntry; missed: string[] } | undefined
  for (const entry of entries) {
    if (matches(entry, expected)) continue
    const missed = missesOf(entry, expected)
    // Of two equally close entries, the later one is taken, because it belongs to the user's latest action.
    if (nearest === undefined || missed.length <= nearest.missed.length) nearest = { entry, missed }
  }
  if (nearest !== undefined) return `nearest is ${asLine(nearest.entry)}: ${nearest.missed.join('; ')}`
  return entries.length === 0 ? 'nothing arrived at all' : 'nothing else arrived'
}

function missesOf(entry: JournalEntry, expected: ExpectedFields): string[] {
  return expected.flatMap(([field, value]) =>
    [...differences(fieldOf(entry, field), value, field)].map(({ path, actual, expected: wanted }) =>
      path === 'outcome' && actual === undefined
        ? `outcome is not known yet, and ${shown(wanted)} was wanted`
        : `${path} is ${shown(actual)}, not ${shown(wanted)}`,
    ),
  )
}

/**
 * Returns the error of {@link Journal.expectNothing}.
 *
 * @param what the filter in words
 * @param arrived the entries that matched the filter. The first 20 are listed
 */
export function unexpected(what: string, arrived: readonly JournalEntry[]): Refusal {
  const lines = arrived.slice(0, LISTED).map(entry => `\n  ${asLine(entry)}`)
  if (arrived.length > LISTED) lines.push(`\n  and ${arrived.length - LISTED} more`)
  const times = arrived.length === 1 ? 'time' : 'times'
  return new Refusal(
    'journal_unexpected',
    `${what} was not expected, but arrived ${arrived.length} ${times}:${lines.join('')}`,
  )
}
