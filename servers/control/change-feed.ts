import type { ServerResponse } from 'node:http'
import type { SseStream } from '../../shared/http/sse.js'

/** Maximum number of entries that are read from the source in one step. */
const BATCH = 200

/** An entry of a source that numbers its changes. */
export interface Changed {
  /** The number of this entry's latest change, counted over the whole source. */
  readonly changed: number
}

/** Receives the changes of a source. */
export interface ChangeWatcher<Entry> {
  /** An entry has changed. */
  entry(entry: Entry): void
  /** The source was cleared. */
  cleared?(): void
  /** The source will have no further changes. */
  stopped?(): void
}

/** A record whose changes can be read from any position: the journal, or the decisions of gateways. */
export interface ChangeSource<Entry extends Changed> {
  /** Number of changes. */
  readonly changes: number
  /** Number of entries that are no longer kept. */
  readonly dropped: number
  /**
   * Returns the entries that were changed after `change`, in the order of their changes. `complete` is false
   * if the source has dropped some of these entries.
   */
  changesAfter(change: number, limit: number): { entries: Entry[]; complete: boolean }
  watch(watcher: ChangeWatcher<Entry>): () => void
}

/** Returns the event for an entry. Undefined if the entry has no event. */
export type Teller<Entry> = (entry: Entry) => { name: string; json: string } | undefined

/**
 * Sends the changes of a source on an event stream.
 *
 * Nothing is queued for a slow reader. The feed keeps the reader's position among the changes, and continues
 * there when the reader reads again. The reader gets only the last state of an entry. A `gap` event reports
 * changes that the source has dropped.
 */
export class ChangeFeed<Entry extends Changed> {
  readonly #source: ChangeSource<Entry>
  readonly #tell: Teller<Entry>
  #place: number
  /** Number of dropped entries that were reported. */
  #toldDropped = 0
  /** Entries that were read from the source and not sent yet. */
  #batch: { entry: Entry; change: number }[] = []
  /** Whether the feed waits for the reader, or has not begun. */
  #behind = true
  #stream: SseStream | undefined

  /** @param after the number of the change after which the feed begins */
  constructor(source: ChangeSource<Entry>, tell: Teller<Entry>, after: number) {
    this.#source = source
    this.#tell = tell
    // The number is from before a restart of the process, so all changes are new.
    this.#place = after > source.changes ? 0 : after
  }

  /** Sends events until either side closes the stream. */
  run(stream: SseStream, response: ServerResponse): void {
    this.#stream = stream
    const leave = this.#source.watch({
      entry: entry => this.#onEntry(entry),
      cleared: () => this.#cleared(),
      stopped: () => stream.end(),
    })
    response.on('close', leave)
    this.#catchUp()
  }

  #onEntry(entry: Entry): void {
    if (!this.#behind) this.#send(entry)
  }

  #cleared(): void {
    this.#batch = []
    this.#place = this.#source.changes
    this.#event('cleared', '{}')
  }

  #catchUp(): void {
    this.#behind = false
    while (!this.#behind) {
      const next = this.#batch.shift()
      // An entry that has changed again is sent at the position of its last change.
      if (next !== undefined && next.entry.changed === next.change) this.#send(next.entry)
      else if (next === undefined && !this.#readOn()) return
    }
  }

  /** Reads the next changes of the source. @returns whether there are any */
  #readOn(): boolean {
    const { entries, complete } = this.#source.changesAfter(this.#place, BATCH)
    if (!complete) this.#gap()
    this.#batch = entries.map(entry => ({ entry, change: entry.changed }))
    return entries.length > 0
  }

  #gap(): void {
    const { dropped } = this.#source
    if (dropped === this.#toldDropped) return
    this.#toldDropped = dropped
    this.#event('gap', JSON.stringify({ dropped }))
  }

  #send(entry: Entry): void {
    this.#place = entry.changed
    const told = this.#tell(entry)
    if (told !== undefined) this.#event(told.name, told.json)
  }

  #event(name: string, json: string): void {
    const more = this.#stream?.sendNamed(name, `${this.#place}`, json, () => this.#catchUp())
    if (more === false) this.#behind = true
  }
}
