import type { Server } from '@modelcontextprotocol/sdk/server/index.js'
import type { TransportSendOptions } from '@modelcontextprotocol/sdk/shared/transport.js'
import {
  type JSONRPCMessage,
  type JSONRPCRequest,
  McpError,
  type RequestId,
  type Result,
} from '@modelcontextprotocol/sdk/types.js'
import { TokenBuckets } from '../clock/token-buckets.js'
import type { Refusal } from '../errors.js'
import type { Instance } from '../instance.js'
import type { Arrival, JournalEntry, Outcome } from '../journal/entry.js'
import { isObject } from '../util/is-object.js'
import { sized } from './apply-fault.js'
import { Arrivals, AskedClients, Calls, HeldCalls } from './calls.js'
import type { Call, CallerClues, Conversation, Reply, ServerMessage } from './conversation.js'
import type { Incoming, MessageHost } from './message-host.js'
import {
  type AnonymousError,
  anonymousError,
  errorResponse,
  isNotification,
  isRequest,
  isRequestId,
  isResponse,
  type JsonRpcResponse,
  RpcCode,
} from './messages.js'
import { SdkLink } from './sdk-link.js'

interface HostOptions<Caller> {
  /** The server's name in the journal, and where faults and overlays are set. */
  name: string
  instance: Pick<
    Instance,
    'clock' | 'machine' | 'journal' | 'faults' | 'catalogue' | 'knownTools' | 'crashed' | 'log'
  >
  /**
   * Who is calling.
   *
   * @throws Refusal if what the caller says of itself cannot be right
   */
  identify(clues: CallerClues): Caller
  /** The caller as the journal names it. */
  nameOf(caller: Caller): string
  /** A conversation is over: what is kept for it may go. */
  forget?(session: string): void
  onError(error: Error): void
}

/**
 * Runs the requests of one method.
 *
 * @throws McpError for a protocol error of that code
 */
type RequestHandler<Caller> = (call: Call<Caller>, params: JSONRPCRequest['params']) => Promise<Result>

const SECONDS_BETWEEN_WARNINGS = 60

/**
 * What every conversation with one SDK `Server` speaks to.
 *
 * Request ids are remapped to numbers of its own, so that two callers may both use id 1 and a cancellation
 * reaches the call it means. A long-lived `Server` keeps its schemas and handlers; building one per request
 * costs ten times the call itself.
 */
export class McpHost<Caller> implements MessageHost<Caller> {
  readonly identify: (clues: CallerClues) => Caller
  readonly #options: HostOptions<Caller>
  readonly #handlers = new Map<string, RequestHandler<Caller>>()
  readonly #calls = new Calls<Caller>()
  readonly #held: HeldCalls<Caller>
  readonly #arrivals: Arrivals<Caller>
  readonly #sdk: SdkLink
  readonly #warnings: TokenBuckets
  readonly #conversations = new Set<Conversation>()
  readonly #asked = new AskedClients<Caller>()
  /** Each cuts what no lasting conversation stands for, without a word: a listener's sockets. */
  readonly #cuts = new Set<() => void>()
  #closed = false

  constructor(options: HostOptions<Caller>) {
    this.#options = options
    this.identify = clues => options.identify(clues)
    const { name, instance } = options
    const nameOf = (caller: Caller) => options.nameOf(caller)
    this.#held = new HeldCalls({ name, instance, nameOf })
    this.#arrivals = new Arrivals({ name, journal: instance.journal, nameOf })
    this.#warnings = new TokenBuckets({
      clock: instance.machine,
      capacity: 1,
      perSecond: 1 / SECONDS_BETWEEN_WARNINGS,
    })
    this.#sdk = new SdkLink({
      sent: (message, related) => this.#sent(message, related),
      onError: error => options.onError(error),
      onUselessNotification: () => this.#warnOfNotification(),
    })
  }

  get name(): string {
    return this.#options.name
  }

  get instance(): HostOptions<Caller>['instance'] {
    return this.#options.instance
  }

  /** Puts `server` behind this host; it serves every conversation from then on. */
  mount(server: Server): Promise<void> {
    return this.#sdk.mount(server)
  }

  /**
   * Has `handler` run the requests of a method, past the SDK, which parses a message three times over and makes an
   * AbortController for each: more work than most tools do.
   */
  handle(method: string, handler: RequestHandler<Caller>): void {
    this.#handlers.set(method, handler)
  }

  /**
   * Has the SDK's server answer a ping, as if a caller had sent it; the journal hears nothing of it.
   *
   * @throws Error if this has been closed
   */
  async ping(): Promise<void> {
    if (this.#closed) throw new Error('it has been closed')
    await this.#sdk.ping(this.#calls.nextId())
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const call of this.#calls.all()) this.#cancel(call, 'the server is shutting down')
    await this.#sdk.close()
  }

  /** Has `cut` called, beside those of the lasting conversations, when this server is to break off. */
  onCrash(cut: () => void): void {
    this.#cuts.add(cut)
  }

  /** The journal's name for who made the request that the SDK knows by this id; empty once that is over. */
  callerOf(id: RequestId): string {
    const call = this.#calls.get(id)
    return call === undefined ? '' : this.#options.nameOf(call.caller)
  }

  /** The requests that have not been answered yet, in the order they came. */
  underWay(): { entry: JournalEntry; caller: string; method: string }[] {
    return this.#calls.all().map(({ entry, caller, method }) => ({
      entry,
      caller: this.#options.nameOf(caller),
      method,
    }))
  }

  /** How many those are. */
  get busy(): number {
    return this.#calls.size
  }

  /** Lets a lasting conversation hear what the server says to all. */
  join(conversation: Conversation): void {
    this.#conversations.add(conversation)
  }

  /** Ends a conversation: what it still has under way is cancelled. */
  leave(conversation: Conversation, reason: string): void {
    this.#conversations.delete(conversation)
    this.cancelAll(conversation, reason)
    if (conversation.session !== null) this.#options.forget?.(conversation.session)
  }

  /** Cancels what a conversation has under way: all of it, or only what would be answered through `reply`. */
  cancelAll(conversation: Conversation, reason: string, reply?: Reply): void {
    for (const call of this.#calls.of(conversation, reply)) {
      // What was cancelled before it may have ended it.
      if (this.#calls.has(call)) this.#cancel(call, reason)
    }
  }

  /**
   * Answers the calls that a fault delays, or leaves hanging, with a refusal: what they wait for is not to
   * come any more.
   */
  releaseHeld(refusal: Refusal): void {
    this.#held.release(refusal, (call, response) => this.#answer(call, response))
  }

  /** Sends something ahead of a call's answer; once that has been given there is nobody to hear it. */
  notify(call: Call<Caller>, message: ServerMessage): void {
    if (this.#calls.has(call)) call.reply.notify(message)
  }

  /** Notes a request that never became a message: refused by the transport, or a GET or DELETE. */
  note(arrival: Omit<Arrival, 'server' | 'tool' | 'arguments'>): JournalEntry {
    return this.#arrivals.note(arrival)
  }

  /** Ends an entry that {@link note} opened. */
  noteEnd(entry: JournalEntry, outcome: 'ok' | 'protocol_error' | 'aborted', responseBytes: number): void {
    this.#options.instance.journal.close(entry, outcome, responseBytes)
  }

  /** Takes in one message; the answer, if there is one, goes to its reply. */
  receive(incoming: Incoming<Caller>): void {
    const { message, reply } = incoming
    const entry = this.#arrivals.open(incoming)
    incoming.opened?.(entry)
    if (isRequest(message)) this.#request(message, incoming, entry)
    else if (isNotification(message)) {
      this.#options.instance.journal.close(entry, 'ok')
      if (message.method === 'notifications/cancelled') this.#cancelled(message.params, incoming)
      else this.#sdk.hand(message)
    } else if (isResponse(message)) {
      this.#options.instance.journal.close(entry, 'ok')
      if (this.#asked.take(message.id, incoming.conversation)) this.#sdk.hand(message)
    } else {
      const id = isObject(message) && isRequestId(message.id) ? message.id : undefined
      this.#refuse(entry, reply, id, 'not a JSON-RPC 2.0 request, notification or response')
    }
  }

  /** What the SDK sends: answers go back under the caller's own id, the rest where it belongs. */
  #sent(message: JSONRPCMessage, options: TransportSendOptions | undefined): void {
    if ('method' in message) {
      const related = options?.relatedRequestId
      if (related === undefined) {
        for (const conversation of this.#conversations) conversation.notify(message)
        return
      }
      const call = this.#calls.get(related)
      if (call === undefined) return
      if ('id' in message) this.#asked.ask(message.id, call)
      call.reply.notify(message)
      return
    }
    const call = message.id === undefined ? undefined : this.#calls.get(message.id)
    if (call !== undefined) this.#answer(call, { ...message, id: call.callerId })
  }

  #request(request: JSONRPCRequest, incoming: Incoming<Caller>, entry: JournalEntry): void {
    if (this.#calls.full) {
      const why = 'too many requests are under way: wait for their answers, or cancel some'
      const answer = errorResponse(request.id, RpcCode.transport, why)
      this.#options.instance.journal.close(entry, 'protocol_error', incoming.reply.answer(answer), answer)
      return
    }
    const call = this.#calls.add(request, incoming, entry)
    if (call === undefined) {
      const why = `request id ${JSON.stringify(request.id)} is still in use`
      this.#refuse(entry, incoming.reply, request.id, why)
      return
    }
    const handler = this.#handlers.get(request.method)
    if (handler !== undefined) {
      const due = this.#held.due(call, request.params?.name)
      if (due === undefined) void this.#run(handler, call, request.params)
      else {
        this.#held.meet(call, due, {
          run: () => void this.#run(handler, call, request.params),
          answer: response => this.#answer(call, response),
          crash: () => this.#crash(call),
        })
      }
      return
    }
    if (this.#sdk.hand({ ...request, id: call.id }, { requestInfo: { headers: incoming.headers } })) return
    const why = `not a valid ${request.method} request`
    this.#answer(call, errorResponse(request.id, RpcCode.invalidRequest, why))
  }

  /** Breaks off as a process does that dies: nobody is answered, nothing is said. */
  #crash(call: Call<Caller>): void {
    this.#drop(call)
    this.#options.instance.journal.close(call.entry, 'fault')
    for (const cut of this.#cuts) cut()
    for (const conversation of [...this.#conversations]) conversation.cut?.()
    void this.close()
    this.#options.instance.crashed()
  }

  async #run(
    handler: RequestHandler<Caller>,
    call: Call<Caller>,
    params: JSONRPCRequest['params'],
  ): Promise<void> {
    const response = await handler(call, params).then(
      (result): JsonRpcResponse => ({ jsonrpc: '2.0', id: call.callerId, result }),
      error => this.#errorOf(error, call),
    )
    if (this.#calls.has(call)) this.#answer(call, response)
  }

  #errorOf(error: unknown, { callerId, method }: Call<Caller>): JsonRpcResponse {
    if (error instanceof McpError) return errorResponse(callerId, error.code, error.message)
    this.#options.onError(error instanceof Error ? error : new Error(String(error)))
    return errorResponse(callerId, RpcCode.internalError, `${method} failed: internal error`)
  }

  #answer(call: Call<Caller>, response: JsonRpcResponse): void {
    this.#drop(call)
    if (call.method === 'initialize' && 'result' in response) {
      call.conversation.version = String(response.result.protocolVersion)
    }
    const { fault } = call
    const sent = typeof fault === 'object' && 'bytes' in fault ? sized(response, fault.bytes) : response
    this.#send(call.reply, sent, call.entry, fault ? 'fault' : outcomeOf(response))
  }

  #refuse(entry: JournalEntry, reply: Reply, id: RequestId | undefined, why: string): void {
    const message = `invalid request: ${why}`
    const answer =
      id === undefined
        ? anonymousError(RpcCode.invalidRequest, message)
        : errorResponse(id, RpcCode.invalidRequest, message)
    this.#send(reply, answer, entry, 'protocol_error')
  }

  /** Closes the entry before the answer leaves: a process that is killed behind an answer has it in its journal. */
  #send(reply: Reply, answer: JsonRpcResponse | AnonymousError, entry: JournalEntry, outcome: Outcome): void {
    const close = (bytes: number) => this.#options.instance.journal.close(entry, outcome, bytes, answer)
    // Of two closes the second is ignored: a reply that leaves later need not say when.
    close(reply.answer(answer, close))
  }

  /** Logs one line a minute at most: a client can send as many of them as it likes. */
  #warnOfNotification(): void {
    const { name, instance } = this.#options
    if (!this.#warnings.take('notification')) return
    instance.log.warn(
      `${name}: a notification from a client is malformed, or reports progress of an unknown request. ` +
        `It changes nothing; the journal has it. Further ones are not logged for ${SECONDS_BETWEEN_WARNINGS} s`,
    )
  }

  #cancelled(params: unknown, { conversation }: Incoming<Caller>): void {
    if (!isObject(params) || !isRequestId(params.requestId)) return
    const call = this.#calls.known(params.requestId, conversation)
    // The specification forbids cancelling `initialize`; what is not under way was answered already.
    if (call === undefined || call.method === 'initialize') return
    this.#cancel(call, typeof params.reason === 'string' ? params.reason : 'cancelled by the caller')
  }

  #cancel(call: Call<Caller>, reason: string): void {
    this.#drop(call)
    call.cancellation.cancel(reason)
    if (!this.#handlers.has(call.method)) {
      this.#sdk.hand({
        jsonrpc: '2.0',
        method: 'notifications/cancelled',
        params: { requestId: call.id, reason },
      })
    }
    this.#options.instance.journal.close(call.entry, 'aborted')
    call.reply.abandon()
  }

  #drop(call: Call<Caller>): void {
    this.#calls.drop(call)
    this.#held.drop(call)
    this.#asked.drop(call)
  }
}

function outcomeOf(response: JsonRpcResponse): Outcome {
  if ('error' in response) return 'protocol_error'
  return response.result.isError === true ? 'tool_error' : 'ok'
}
