import type { JSONRPCRequest, RequestId } from '@modelcontextprotocol/sdk/types.js'
import type { Refusal } from '../errors.js'
import type { Due } from '../faults/table.js'
import type { Instance } from '../instance.js'
import type { Arrival, JournalEntry } from '../journal/entry.js'
import { isObject } from '../util/is-object.js'
import { meet, type Ways } from './apply-fault.js'
import type { Call, Cancellable, Conversation, Reply } from './conversation.js'
import type { Incoming } from './message-host.js'
import type { JsonRpcResponse } from './messages.js'

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

/** Requests to clients, each with the call in whose midst it was asked: its conversation alone may answer. */
export class AskedClients<Caller> {
  readonly #asked = new Map<RequestId, Call<Caller>>()

  /** @throws Error for a caller whose answer would have no way back */
  ask(id: RequestId, call: Call<Caller>): void {
    const { transport, session } = call.conversation
    // Its answer would come in a POST of its own, and nothing would tell whose it is.
    if (transport === 'http' && session === null) {
      throw new Error('the caller has no session, so it cannot be asked anything: initialize first')
    }
    this.#asked.set(id, call)
  }

  /** Whether an answer is to something that this conversation was asked; it is answered then. */
  take(id: RequestId | undefined, conversation: Conversation): boolean {
    if (id === undefined || this.#asked.get(id)?.conversation !== conversation) return false
    return this.#asked.delete(id)
  }

  /** The call is over: nobody waits for what was asked in its midst. */
  drop(call: Call<Caller>): void {
    for (const [id, asking] of this.#asked) if (asking === call) this.#asked.delete(id)
  }
}

interface ArrivalsOptions<Caller> {
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

interface HeldCallsOptions<Caller> {
  /** Of the server, as faults and overlays name it. */
  name: string
  instance: Pick<Instance, 'clock' | 'faults' | 'catalogue'>
  /** The caller as the journal names it. */
  nameOf(caller: Caller): string
}

/** The calls that a fault delays, or leaves hanging. */
export class HeldCalls<Caller> {
  readonly #options: HeldCallsOptions<Caller>
  readonly #held = new Set<Call<Caller>>()

  constructor(options: HeldCallsOptions<Caller>) {
    this.#options = options
  }

  /** The faults set for a call of a tool, by that tool's genuine name. */
  due({ method, caller }: Call<Caller>, tool: unknown): Due | undefined {
    const { name, instance, nameOf } = this.#options
    const { faults, catalogue } = instance
    if (!faults.any || method !== 'tools/call' || typeof tool !== 'string') return undefined
    return faults.due(name, catalogue.genuineName(name, nameOf(caller), tool))
  }

  /** Lets a call meet what is due on it. */
  meet(call: Call<Caller>, due: Due, ways: Ways): void {
    this.#held.add(call)
    meet(call, due, this.#options.instance.clock, {
      ...ways,
      run: () => {
        this.#held.delete(call)
        ways.run()
      },
    })
  }

  /** Gives each a refusal for its answer: what they wait for is not to come any more. */
  release(refusal: Refusal, answer: (call: Call<Caller>, response: JsonRpcResponse) => void): void {
    for (const call of [...this.#held]) {
      call.cancellation.cancel(refusal.reason)
      const content = [{ type: 'text', text: refusal.sentence }]
      answer(call, { jsonrpc: '2.0', id: call.callerId, result: { content, isError: true } })
    }
  }

  /** The call is over. */
  drop(call: Call<Caller>): void {
    this.#held.delete(call)
  }
}

/**
 * Whether a call has been cancelled, for the handler that runs it.
 *
 * The signal is made when it is first asked for: making one costs as much as a whole call that never waits.
 */
export class Cancellation implements Cancellable {
  #controller: AbortController | undefined
  #reason: string | undefined

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#reason !== undefined) this.#controller.abort(this.#reason)
    }
    return this.#controller.signal
  }

  cancel(reason: string): void {
    if (this.#reason !== undefined) return
    this.#reason = reason
    this.#controller?.abort(reason)
  }
}
