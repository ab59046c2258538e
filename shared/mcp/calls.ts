import type { JSONRPCRequest, RequestId } from '@modelcontextprotocol/sdk/types.js'
import type { Refusal } from '../errors.js'
import type { ActiveFault } from '../faults/table.js'
import type { Instance } from '../instance.js'
import type { Arrival, JournalEntry, ProtocolNotes } from '../journal/entry.js'
import type { Counted } from '../overlays/overlays.js'
import { isObject } from '../util/objects.js'
import { applyFault, type FaultHooks } from './apply-fault.js'
import type { Call, Cancellable, Conversation, ModernRequest, Reply } from './conversation.js'
import type { Incoming, RefusedArrival } from './message-host.js'
import type { JsonRpcResponse } from './messages.js'

/** Maximum number of open requests of one server. */
const MAX_CALLS = 10_000
/**
 * Maximum size of the bodies of all open requests of one server, in bytes. The parsed bodies can take fifteen
 * times as much memory.
 */
const MAX_BYTES = 32 * 1024 * 1024

/** The requests that have not been answered yet. The id of each call is unique among all conversations. */
export class Calls<Caller> {
  readonly #calls = new Map<RequestId, Call<Caller>>()
  #lastId = 0
  #bytes = 0

  /** The number of open calls. */
  get size(): number {
    return this.#calls.size
  }

  /** Whether the maximum number or the maximum size of open calls is reached. */
  get full(): boolean {
    return this.#calls.size >= MAX_CALLS || this.#bytes >= MAX_BYTES
  }

  /** Returns an id that no other call has had or will have. */
  nextId(): number {
    return ++this.#lastId
  }

  /** Adds a request. Returns undefined if an open call of the same conversation has the same request id. */
  add(
    { id: callerId, method }: JSONRPCRequest,
    { caller, conversation, reply }: Incoming<Caller>,
    entry: JournalEntry,
    modern: ModernRequest | undefined,
  ): Call<Caller> | undefined {
    if (conversation.inflight.has(callerId)) return undefined
    const id = this.nextId()
    const cancellation = new Cancellation()
    const call = { id, callerId, method, caller, conversation, reply, entry, cancellation, modern }
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

  /** Returns the open call with this request id in a conversation. Returns undefined if there is none. */
  findOpen(callerId: RequestId, { inflight }: Conversation): Call<Caller> | undefined {
    const found = inflight.get(callerId)
    return found && this.#calls.get(found.id)
  }

  /** Returns all calls in the order of their arrival. */
  all(): Call<Caller>[] {
    return [...this.#calls.values()]
  }

  /**
   * Returns the calls of a conversation.
   *
   * @param reply if given, only the calls that this reply answers are returned
   */
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

interface ArrivalsOptions<Caller> {
  /** The server's name in the journal. */
  name: string
  journal: Instance['journal']
  /** Returns the name of a caller in the journal. */
  nameOf(caller: Caller): string
}

/** Opens the journal entries of messages that reach a server. */
export class Arrivals<Caller> {
  readonly #options: ArrivalsOptions<Caller>

  constructor(options: ArrivalsOptions<Caller>) {
    this.#options = options
  }

  /** Opens the journal entry of a message. */
  open(
    { message, raw, batchIndex, caller, headers, conversation }: Incoming<Caller>,
    notes: ProtocolNotes,
  ): JournalEntry {
    const { name, journal, nameOf } = this.#options
    return journal.open({
      server: name,
      transport: conversation.transport,
      session: conversation.session,
      caller: nameOf(caller),
      ...subjectOf(message),
      headers,
      raw,
      batchIndex,
      notes,
    })
  }

  /** Opens the journal entry of a request that the transport answered or refused without the host. */
  note({ message, method, ...arrival }: RefusedArrival, notes: ProtocolNotes): JournalEntry {
    const subject = subjectOf(message)
    return this.#options.journal.open({
      ...arrival,
      ...subject,
      server: this.#options.name,
      method: subject.method ?? method,
      notes,
    })
  }
}

/**
 * Returns how an overlay counts the tool lists that it has shown. It counts the lists of all legacy callers
 * together, and the lists of each modern caller alone.
 */
export function countedFor(modern: ModernRequest | undefined): Counted {
  return modern === undefined ? 'together' : 'alone'
}

/**
 * Returns the method, tool, arguments and `traceparent` of a message. A part that cannot be read is null or
 * undefined.
 */
function subjectOf(message: unknown): Pick<Arrival, 'method' | 'tool' | 'arguments' | 'traceparent'> {
  const method = isObject(message) && typeof message.method === 'string' ? message.method : null
  const params = isObject(message) && isObject(message.params) ? message.params : undefined
  const isCall = method === 'tools/call' && params !== undefined
  return {
    method,
    tool: isCall && typeof params.name === 'string' ? params.name : null,
    arguments: isCall ? params.arguments : undefined,
    traceparent: isObject(params?._meta) ? params._meta.traceparent : undefined,
  }
}

interface HeldCallsOptions<Caller> {
  /** The server's name in faults and overlays. */
  name: string
  instance: Pick<Instance, 'clock' | 'faults' | 'catalogue'>
  /** Returns the name of a caller in the journal. */
  nameOf(caller: Caller): string
}

/** The open calls that a fault delays or leaves unanswered. */
export class HeldCalls<Caller> {
  readonly #options: HeldCallsOptions<Caller>
  readonly #held = new Set<Call<Caller>>()

  constructor(options: HeldCallsOptions<Caller>) {
    this.#options = options
  }

  /**
   * Counts a request for each fault that matches it, and returns the fault to apply to the request. A fault
   * names either a method or a tool. The tool has its genuine name, not the name from an overlay.
   */
  due({ method, caller, modern }: Call<Caller>, tool: unknown): ActiveFault | undefined {
    const { name, instance, nameOf } = this.#options
    const { faults, catalogue } = instance
    if (!faults.any) return undefined
    if (method !== 'tools/call' || typeof tool !== 'string') return faults.due(name, undefined, method)
    return faults.due(name, catalogue.genuineName(name, nameOf(caller), tool, countedFor(modern)))
  }

  /** Applies a fault to a call. */
  applyFault(call: Call<Caller>, due: ActiveFault, hooks: FaultHooks): void {
    this.#held.add(call)
    applyFault(call, due, this.#options.instance.clock, {
      ...hooks,
      run: () => {
        this.#held.delete(call)
        hooks.run()
      },
    })
  }

  /**
   * Cancels each held call and answers it with a tool error. Otherwise, the fault would keep the call open.
   */
  release(refusal: Refusal, answer: (call: Call<Caller>, response: JsonRpcResponse) => void): void {
    for (const call of [...this.#held]) {
      call.cancellation.cancel(refusal.reason)
      const content = [{ type: 'text', text: refusal.sentence }]
      answer(call, { jsonrpc: '2.0', id: call.callerId, result: { content, isError: true } })
    }
  }

  /** Removes a call that has ended. */
  drop(call: Call<Caller>): void {
    this.#held.delete(call)
  }
}

/**
 * Tracks whether a call has been cancelled, and gives the handler of the call an `AbortSignal`.
 *
 * The signal is created when the handler first reads it, because creating a signal takes as long as a whole
 * call of a tool that does not wait.
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
