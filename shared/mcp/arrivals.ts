import type { Instance } from '../instance.js'
import type { Arrival, JournalEntry } from '../journal/entry.js'
import { isObject } from '../util/is-object.js'
import type { Incoming } from './message-host.js'

export interface ArrivalsOptions<Caller> {
  /** The server's name in the journal. */
  name: string
  journal: Instance['journal']
  /** The caller as the journal names it. */
  nameOf(caller: Caller): string
}

/** What reaches a server, as its journal has it. */
export class Arrivals<Caller> {
  readonly #options: ArrivalsOptions<Caller>

  constructor(options: ArrivalsOptions<Caller>) {
    this.#options = options
  }

  /** Opens the entry of a message. */
  open({ message, raw, batchIndex, caller, headers, conversation }: Incoming<Caller>): JournalEntry {
    const { name, journal, nameOf } = this.#options
    const method = isObject(message) && typeof message.method === 'string' ? message.method : null
    const params = isObject(message) && isObject(message.params) ? message.params : {}
    const isCall = method === 'tools/call'
    const meta = isObject(params._meta) ? params._meta : undefined
    return journal.open({
      server: name,
      transport: conversation.transport,
      session: conversation.session,
      caller: nameOf(caller),
      method,
      tool: isCall && typeof params.name === 'string' ? params.name : null,
      arguments: isCall ? params.arguments : undefined,
      headers,
      traceparent: meta?.traceparent,
      raw,
      batchIndex,
    })
  }

  /** Opens the entry of a request that never became a message. */
  note(arrival: Omit<Arrival, 'server' | 'tool' | 'arguments'>): JournalEntry {
    const { name, journal } = this.#options
    return journal.open({ ...arrival, server: name, tool: null, arguments: undefined })
  }
}
