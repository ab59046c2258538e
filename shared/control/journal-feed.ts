import type { ServerResponse } from 'node:http'
import type { SseStream } from '../http/sse.js'
import type { JournalEntry } from '../journal/entry.js'
import type { Journal } from '../journal/journal.js'
import { type Expected, expectedOf, type JournalFilter, matches } from '../journal/where.js'

/** Entries read from the journal at once. */
const BATCH = 200

/**
 * Sends the changes of a journal's entries on an event stream: each once as it is opened and once as it ends.
 *
 * Nothing is queued for a reader that is slow: it has a place among the changes, and reads on from there when there is
 * room again, so of an entry that was opened and ended meanwhile it sees the end. What the journal's ring has let go by
 * then it is told of as a `gap`.
 */
export class JournalFeed {
  readonly #journal: Journal
  readonly #expected: Expected
  readonly #afterSeq: number
  #place: number
  /** How many entries it has told of that they are gone. */
  #toldDropped = 0
  /** What it has read from the journal and not sent yet. */
  #batch: { entry: JournalEntry; change: number }[] = []
  /** Whether it waits for room, or has not begun. */
  #behind = true
  #stream: SseStream | undefined

  constructor(
    journal: Journal,
    where: JournalFilter,
    { afterSeq, afterChange }: { afterSeq: number; afterChange: number },
  ) {
    this.#journal = journal
    this.#expected = expectedOf(where)
    this.#afterSeq = afterSeq
    // An id from before a restart: whatever there is is new.
    this.#place = afterChange > journal.changes ? 0 : afterChange
  }

  /** Sends until the stream is closed, by either side. */
  run(stream: SseStream, response: ServerResponse): void {
    this.#stream = stream
    const leave = this.#journal.watch({
      entry: entry => this.#told(entry),
      cleared: () => this.#cleared(),
      stopped: () => stream.end(),
    })
    response.on('close', leave)
    this.#catchUp()
  }

  #told(entry: JournalEntry): void {
    if (!this.#behind) this.#send(entry)
  }

  #cleared(): void {
    this.#batch = []
    this.#place = this.#journal.changes
    this.#event('cleared', '{}')
  }

  #catchUp(): void {
    this.#behind = false
    while (!this.#behind) {
      const next = this.#batch.shift()
      // What has changed once more since comes when it is its turn by that.
      if (next !== undefined && next.entry.changed === next.change) this.#send(next.entry)
      else if (next === undefined && !this.#readOn()) return
    }
  }

  /** Reads what has changed behind the place it has; tells whether there is any. */
  #readOn(): boolean {
    const { entries, complete } = this.#journal.changesAfter(this.#place, BATCH)
    if (!complete) this.#gap()
    this.#batch = entries.map(entry => ({ entry, change: entry.changed }))
    return entries.length > 0
  }

  #gap(): void {
    const { dropped } = this.#journal
    if (dropped === this.#toldDropped) return
    this.#toldDropped = dropped
    this.#event('gap', JSON.stringify({ dropped }))
  }

  #send(entry: JournalEntry): void {
    this.#place = entry.changed
    if (entry.seq <= this.#afterSeq || !matches(entry, this.#expected)) return
    this.#event(entry.outcome === undefined ? 'opened' : 'ended', JSON.stringify(entry))
  }

  #event(name: string, json: string): void {
    const more = this.#stream?.sendNamed(name, `${this.#place}`, json, () => this.#catchUp())
    if (more === false) this.#behind = true
  }
}
