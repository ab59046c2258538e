import type { EntryJson } from '../../journal/entry-json.js'
import type { PageRequest, WaitOptions } from '../../journal/requests.js'
import type { JournalFilter } from '../../journal/where.js'
import { entryAnswer, pageAnswer, proven, waitAnswer } from '../schemas/journal.js'
import type { Exchange } from './exchange.js'
import { type JournalEvent, journalEvents } from './journal-events.js'

export interface StreamRequest extends JournalFilter {
  /** Begin with what is kept behind this seq; 0: with all. Without it: with what comes. */
  after?: number
  /** The `id` of the last event that was seen: go on behind it. */
  lastEventId?: string
  signal?: AbortSignal
}

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
    const response = await this.#exchange.open({
      method: 'GET',
      path: `/journal/stream${queryOf(request)}`,
      headers: lastEventId === undefined ? {} : { 'Last-Event-ID': lastEventId },
      signal,
    })
    if (response.body !== null) yield* journalEvents(response.body)
  }
}

/** What is null is empty in a URL, and what has parts is JSON. */
function queryOf(request: Readonly<Record<string, unknown>>): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(request)) {
    if (value !== undefined)
      query.set(
        name,
        typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value ?? ''),
      )
  }
  return query.size === 0 ? '' : `?${query}`
}
