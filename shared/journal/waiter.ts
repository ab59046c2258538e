import type { Clock, Wakeup } from '../clock/clock.js'
import { Refusal } from '../errors.js'
import { shown } from '../util/shown.js'
import type { JournalEntry } from './entry.js'
import { differences, type ExpectedFields, fieldOf, matches } from './where.js'

/** Bytes of request bodies that a waiter keeps: the journal may have let go of its entries meanwhile. */
const MAX_BYTES = 64 * 1024 * 1024

/** Number of offending entries that a refusal lists. */
const LISTED = 20

/** Receives the changes of the journal. */
export interface Watcher {
  /** An entry was opened or has ended. */
  entry(entry: JournalEntry): void
  /** The journal was cleared: what it held counts no more. */
  cleared?(): void
  /** No more entries will come. */
  stopped?(): void
}

export interface WaiterOptions {
  expected: ExpectedFields
  count: number
  timeoutMs: number
  signal: AbortSignal | undefined
  /** The machine's time: the instance's may stand still. */
  machine: Clock
  /** Returns the entries of the journal, for past matches and for the nearest miss. */
  held(): readonly JournalEntry[]
  /** Adds a watcher. Returns a function that removes it. */
  watch(watcher: Watcher): () => void
}

/**
 * Waits for matching entries, both existing and new ones.
 *
 * It keeps the entries themselves, so that an entry counts once although it is opened and then ends.
 */
export class Waiter implements Watcher {
  readonly #options: WaiterOptions
  readonly #found = new Set<JournalEntry>()
  #bytes = 0
  #settle: { resolve(entries: JournalEntry[]): void; reject(reason: unknown): void } | undefined
  #leave: (() => void) | undefined
  #timeout: Wakeup | undefined

  constructor(options: WaiterOptions) {
    this.#options = options
  }

  /**
   * @throws Refusal `journal_wait` when the time is up, `journal_stopped` when the instance closes
   * @throws the reason of `signal`
   */
  async wait(): Promise<JournalEntry[]> {
    const { held, watch, machine, timeoutMs, signal, count } = this.#options
    signal?.throwIfAborted()
    for (const entry of held()) this.#take(entry)
    if (this.#found.size >= count) return this.#inOrder()
    const settled = new Promise<JournalEntry[]>((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
    const aborted = () => this.#settle?.reject(signal?.reason)
    signal?.addEventListener('abort', aborted)
    this.#leave = watch(this)
    try {
      this.#timeout = machine.wakeAt(machine.now() + timeoutMs, () => this.#settle?.reject(this.#tooLate()))
      return await settled
    } finally {
      this.#leave()
      this.#timeout?.cancel()
      signal?.removeEventListener('abort', aborted)
    }
  }

  entry(entry: JournalEntry): void {
    this.#take(entry)
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
      new Refusal('journal_stopped', `the instance was closed while ${inWords(expected)} was waited for`),
    )
  }

  #take(entry: JournalEntry): void {
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
      `${inWords(expected)} arrived ${this.#found.size} times with bodies of more than ${MAX_BYTES} bytes, before there were ${count}`,
      'wait for fewer at once',
    )
  }

  #tooLate(): Refusal {
    const { expected, count, timeoutMs, held } = this.#options
    const got = count === 1 ? '' : ` ${count} times, but ${this.#found.size}`
    return new Refusal(
      'journal_wait',
      `${inWords(expected)} did not arrive${got} within ${timeoutMs} ms; ${nearestMiss(held(), expected)}`,
      'mend what is waited for, or give it more time with timeoutMs',
    )
  }
}

/** `tool "ack_task", outcome "ok"`, or `anything`. */
export function inWords(expected: ExpectedFields): string {
  return expected.length === 0
    ? 'anything'
    : expected.map(([field, value]) => `${field} ${shown(value)}`).join(', ')
}

/** One entry as a line: which, whose, what, how it ended. */
function asLine({ seq, caller, tool, method, outcome }: JournalEntry): string {
  return `#${seq} ${caller || 'nobody'} ${tool ?? method ?? 'no message'} ${outcome ?? 'under way'}`
}

/**
 * The entry that comes closest to what was waited for without being it, and where it differs: as a rule that shows
 * which of the two is misspelt.
 */
function nearestMiss(entries: readonly JournalEntry[], expected: ExpectedFields): string {
  let nearest: { entry: JournalEntry; missed: string[] } | undefined
  for (const entry of entries) {
    if (matches(entry, expected)) continue
    const missed = missesOf(entry, expected)
    // Of two as close, the later one: it is what the reader did last.
    if (nearest === undefined || missed.length <= nearest.missed.length) nearest = { entry, missed }
  }
  if (nearest !== undefined) return `nearest is ${asLine(nearest.entry)}: ${nearest.missed.join('; ')}`
  return entries.length === 0 ? 'nothing arrived at all' : 'nothing else arrived'
}

function missesOf(entry: JournalEntry, expected: ExpectedFields): string[] {
  return expected.flatMap(([field, value]) =>
    [...differences(fieldOf(entry, field), value, field)].map(({ path, actual, expected }) =>
      path === 'outcome' && actual === undefined
        ? `outcome is not known yet, and ${shown(expected)} was wanted`
        : `${path} is ${shown(actual)}, not ${shown(expected)}`,
    ),
  )
}

/**
 * The refusal of {@link Journal.expectNothing}.
 *
 * @param what was not to arrive, in words
 * @param arrived the entries that did; the first 20 are listed
 */
export function unexpected(what: string, arrived: readonly JournalEntry[]): Refusal {
  const lines = arrived.slice(0, LISTED).map(entry => `\n  ${asLine(entry)}`)
  if (arrived.length > LISTED) lines.push(`\n  and ${arrived.length - LISTED} more`)
  const times = arrived.length === 1 ? 'time' : 'times'
  return new Refusal(
    'journal_unexpected',
    `${what} was not to arrive, but did, ${arrived.length} ${times}:${lines.join('')}`,
  )
}
