import type { EntryJson } from '../../../shared/journal/entry.js'
import type { JournalFilter, PageRequest, WaitOptions } from '../../../shared/journal/where.js'
import { entryAnswer, pageAnswer, proven, waitAnswer } from '../schemas/journal.js'
import { type JournalEvent, journalEventOf } from './events.js'
import { type Exchange, queryOf, type Resumption } from './http.js'

export type StreamRequest = JournalFilter & Resumption

/** What reached the servers, as seen over HTTP. */
export class ControlledJournal {
  readonly #exchange: Exchange

  constructor(exchange: Exchange) {
    this.#exchange = exchange
  }

  /** See `Journal.page`. */
  page(request: PageRequest = {}): Promise<{ entries: EntryJson[]; next: number; dropped: number }> {
    return this.#exchange.read({ method: 'GET', path: `/journal${queryOf(request)}` }, pageAnswer)
  }

  /** See `Journal.find`. @throws ControlError `unknown_entry` */
  find(seq: number): Promise<{ entry: EntryJson; answer: string | null }> {
    return this.#exchange.read({ method: 'GET', path: `/journal/entries/${seq}` }, entryAnswer)
  }

  async clear(): Promise<void> {
    await this.#exchange.read({ method: 'DELETE', path: '/journal' }, pageAnswer)
  }

  /** See `Journal.waitFor`. @throws ControlError `journal_wait`, with the nearest miss */
  async waitFor(where: JournalFilter, { signal, ...options }: WaitOptions = {}): Promise<EntryJson[]> {
    const body = { where, ...options }
    const request = { method: 'POST', path: '/journal/wait', body, signal } as const
    return (await this.#exchange.read(request, waitAnswer)).entries
  }

  /** See `Journal.expectNothing`. @throws ControlError `journal_unexpected`, with what did arrive */
  async expectNothing(where: JournalFilter = {}): Promise<void> {
    await this.#exchange.read({ method: 'POST', path: '/journal/expect-nothing', body: { where } }, proven)
  }

  /** What arrives, as it does: each entry as it is opened, and again when it has ended. */
  async *stream({ lastEventId, signal, ...request }: StreamRequest = {}): AsyncGenerator<JournalEvent> {
    const path = `/journal/stream${queryOf(request)}`
    for await (const event of this.#exchange.events(path, { lastEventId, signal }))
      yield journalEventOf(event)
  }
}
