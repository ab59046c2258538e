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

/** The journal or the record of the gateways. The feed can read its changes from any position. */
export interface ChangeSource<Entry extends Changed> {
  /** Number of changes since the start. It is also the number of the latest change. */
  readonly changes: number
  /** Number of the oldest entries that are no longer kept. */
  readonly dropped: number
  /**
   * Returns the entries that were changed after `change`, in the order of their changes. `complete` is false
   * if the source has dropped some of these entries.
   */
  changesAfter(change: number, limit: number): { entries: Entry[]; complete: boolean }
  watch(watcher: ChangeWatcher<Entry>): () => void
}

/** Returns the event that reports an entry. Returns undefined if the stream does not report the entry. */
export type EventFormatter<Entry> = (entry: Entry) => { name: string; json: string } | undefined

/**
 * Sends the changes of a source on an event stream.
 *
 * The feed queues nothing for a slow reader. It stores the number of the last change that it has sent, and
 * continues after that change when the reader reads again. If an entry has changed several times meanwhile,
 * the reader gets only its latest state. A `gap` event reports that the source has dropped entries.
 */
export class ChangeFeed<Entry extends Changed> {
  readonly #source: ChangeSource<Entry>
  readonly #formatEvent: EventFormatter<Entry>
  /** The number of the last change that was sent, or that has no event. */
  #position: number
  /** Number of dropped entries that the last `gap` event reported. */
  #reportedDropped = 0
  /** Entries that were read from the source and not sent yet. */
  #batch: { entry: Entry; change: number }[] = []
  /** True while the feed waits for the reader, and before `run`. */
  #behind = true
  #stream: SseStream | undefined

  /** @param after the feed sends the changes after the change with this number */
  constructor(source: ChangeSource<Entry>, formatEvent: EventFormatter<Entry>, after: number) {
    this.#source = source
    this.#formatEvent = formatEvent
    // A number that is too high is from before a restart of the process. The reader then knows none of the
    // current changes.
    this.#position = after > source.changes ? 0 : after
  }

  /** Sends events until the client or the source ends the stream. */
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
    this.#position = this.#source.changes
    this.#event('cleared', '{}')
  }

  #catchUp(): void {
    this.#behind = false
    while (!this.#behind) {
      const next = this.#batch.shift()
      // An entry that has changed since it was read is skipped here. Its latest change comes later.
      if (next !== undefined && next.entry.changed === next.change) this.#send(next.entry)
      else if (next === undefined && !this.#readOn()) return
    }
  }

  /** Reads the next changes of the source into the batch. @returns true if there are any */
  #readOn(): boolean {
    const { entries, complete } = this.#source.changesAfter(this.#position, BATCH)
    if (!complete) this.#reportGap()
    this.#batch = entries.map(entry => ({ entry, change: entry.changed }))
    return entries.length > 0
  }

  #reportGap(): void {
    const { dropped } = this.#source
    if (dropped === this.#reportedDropped) return
    this.#reportedDropped = dropped
    this.#event('gap', JSON.stringify({ dropped }))
  }

  #send(entry: Entry): void {
    this.#position = entry.changed
    const event = this.#formatEvent(entry)
    if (event !== undefined) this.#event(event.name, event.json)
  }

  #event(name: string, json: string): void {
    const more = this.#stream?.sendNamed(name, `${this.#position}`, json, () => this.#catchUp())
    if (more === false) this.#behind = true
  }
}
