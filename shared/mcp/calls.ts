import type { JSONRPCRequest, RequestId } from '@modelcontextprotocol/sdk/types.js'
import type { JournalEntry } from '../journal/entry.js'
import { Cancellation } from '../util/cancellation.js'
import type { Call, Conversation, Reply } from './conversation.js'
import type { Incoming } from './message-host.js'

/** Requests under way at once, and the bytes of their bodies: parsed, those may take fifteen times as much. */
const MAX_CALLS = 10_000
const MAX_BYTES = 32 * 1024 * 1024

/** The requests that have not been answered yet, each by an id that is unique among all conversations. */
export class Calls<Caller> {
  readonly #calls = new Map<RequestId, Call<Caller>>()
  #lastId = 0
  #bytes = 0

  /** How many there are. */
  get size(): number {
    return this.#calls.size
  }

  /** Whether there are as many as may be at once. */
  get full(): boolean {
    return this.#calls.size >= MAX_CALLS || this.#bytes >= MAX_BYTES
  }

  /** An id that no call has had, or will have. */
  nextId(): number {
    return ++this.#lastId
  }

  /** Enters a request; undefined if its caller's id is still in use. */
  add(
    { id: callerId, method }: JSONRPCRequest,
    { caller, conversation, reply }: Incoming<Caller>,
    entry: JournalEntry,
  ): Call<Caller> | undefined {
    if (conversation.inflight.has(callerId)) return undefined
    const id = this.nextId()
    const cancellation = new Cancellation()
    const call = { id, callerId, method, caller, conversation, reply, entry, cancellation }
    this.#calls.set(id, call)
    conversation.inflight.set(callerId, call)
    this.#bytes += entry.requestBytes
    return call
  }

  get(id: RequestId): Call<Caller> | undefined {
    return this.#calls.get(id)
  }

  has({ id }: Call<Caller>): boolean {
    return this.#calls.has(id)
  }

  /** What a conversation knows by an id of its own. */
  known(callerId: RequestId, { inflight }: Conversation): Call<Caller> | undefined {
    const found = inflight.get(callerId)
    return found && this.#calls.get(found.id)
  }

  /** All of them, in the order they came. */
  all(): Call<Caller>[] {
    return [...this.#calls.values()]
  }

  /** Those of a conversation: all, or only what would be answered through `reply`. */
  of({ inflight }: Conversation, reply?: Reply): Call<Caller>[] {
    return [...inflight.values()].flatMap(({ id }) => {
      const call = this.#calls.get(id)
      return call !== undefined && (reply === undefined || call.reply === reply) ? [call] : []
    })
  }

  drop(call: Call<Caller>): void {
    if (this.#calls.delete(call.id)) this.#bytes -= call.entry.requestBytes
    call.conversation.inflight.delete(call.callerId)
  }
}
