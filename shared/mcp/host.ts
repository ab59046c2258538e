import type { Server } from '@modelcontextprotocol/sdk/server/index.js'
import type { Transport, TransportSendOptions } from '@modelcontextprotocol/sdk/shared/transport.js'
import {
  type JSONRPCMessage,
  type JSONRPCRequest,
  McpError,
  type MessageExtraInfo,
  type RequestId,
  type Result,
} from '@modelcontextprotocol/sdk/types.js'
import { Cancellation } from '../cancellation.js'
import type { Refusal } from '../errors.js'
import { meet } from '../faults/meet.js'
import { sized } from '../faults/sized.js'
import type { Due } from '../faults/table.js'
import type { Instance } from '../instance.js'
import { isObject } from '../is-object.js'
import type { Arrival, JournalEntry, Outcome } from '../journal/entry.js'
import type { Call, CallerClues, Conversation, Reply, ServerMessage } from './conversation.js'
import type { Incoming, MessageHost } from './message-host.js'
import {
  anonymousError,
  errorResponse,
  isNotification,
  isRequest,
  isRequestId,
  isResponse,
  type JsonRpcResponse,
  RpcCode,
} from './messages.js'

export interface HostOptions<Caller> {
  /** The server's name in the journal, and where faults and overlays are set. */
  name: string
  instance: Pick<Instance, 'clock' | 'journal' | 'faults' | 'catalogue' | 'knownTools' | 'crashed'>
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
export type RequestHandler<Caller> = (call: Call<Caller>, params: JSONRPCRequest['params']) => Promise<Result>

/**
 * The one transport behind which every conversation with one SDK `Server` stands.
 *
 * Request ids are remapped to numbers of its own, so that two callers may both use id 1 and a cancellation
 * reaches the call it means. A long-lived `Server` keeps its schemas and handlers; building one per request
 * costs ten times the call itself.
 */
export class McpHost<Caller> implements Transport, MessageHost<Caller> {
  onmessage?: NonNullable<Transport['onmessage']>
  onclose?: NonNullable<Transport['onclose']>
  onerror?: NonNullable<Transport['onerror']>
  readonly identify: (clues: CallerClues) => Caller
  readonly #options: HostOptions<Caller>
  readonly #handlers = new Map<string, RequestHandler<Caller>>()
  readonly #calls = new Map<RequestId, Call<Caller>>()
  /** The calls that a fault delays, or leaves hanging. */
  readonly #held = new Set<Call<Caller>>()
  readonly #conversations = new Set<Conversation>()
  /** Requests to clients, each with the call in whose midst it was asked: its conversation alone may answer. */
  readonly #asked = new Map<RequestId, Call<Caller>>()
  /** Each cuts what no lasting conversation stands for, without a word: a listener's sockets. */
  readonly #cuts = new Set<() => void>()
  /** The pings of its own that the SDK has not answered, by their id. */
  readonly #pings = new Map<RequestId, () => void>()
  #closed = false
  #lastId = 0
  /** While the SDK is handed a message: whether it could read it. */
  #reading: { failed: boolean } | undefined

  constructor(options: HostOptions<Caller>) {
    this.#options = options
    this.identify = clues => options.identify(clues)
  }

  get name(): string {
    return this.#options.name
  }

  get instance(): HostOptions<Caller>['instance'] {
    return this.#options.instance
  }

  /** Puts `server` behind this host; it serves every conversation from then on. */
  async mount(server: Server): Promise<void> {
    server.onerror = error => {
      // What the SDK says of a message it cannot read repeats the message, secrets and all; its sender is told instead.
      if (this.#reading === undefined) this.#options.onError(error)
      else this.#reading.failed = true
    }
    await server.connect(this)
  }

  /**
   * Has `handler` run the requests of a method, past the SDK, which parses a message three times over and makes an
   * AbortController for each: more work than most tools do.
   */
  handle(method: string, handler: RequestHandler<Caller>): void {
    this.#handlers.set(method, handler)
  }

  async start(): Promise<void> {}

  /**
   * Has the SDK's server answer a ping, as if a caller had sent it; the journal hears nothing of it.
   *
   * @throws Error if this has been closed
   */
  async ping(): Promise<void> {
    if (this.#closed) throw new Error('it has been closed')
    const id = ++this.#lastId
    const answered = new Promise<void>(resolve => this.#pings.set(id, resolve))
    this.#hand({ jsonrpc: '2.0', id, method: 'ping' })
    await answered
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const call of [...this.#calls.values()]) this.#cancel(call, 'the server is shutting down')
    this.onclose?.()
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
    return [...this.#calls.values()].map(({ entry, caller, method }) => ({
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
    for (const { id } of [...conversation.inflight.values()]) {
      const call = this.#calls.get(id)
      if (call !== undefined && (reply === undefined || call.reply === reply)) this.#cancel(call, reason)
    }
  }

  /** Answers the calls that a fault delays, or leaves hanging, with a refusal: what they wait for is not to come any more. */
  releaseHeld(refusal: Refusal): void {
    for (const call of [...this.#held]) {
      call.cancellation.cancel(refusal.message)
      const content = [{ type: 'text', text: refusal.sentence }]
      this.#answer(call, { jsonrpc: '2.0', id: call.callerId, result: { content, isError: true } })
    }
  }

  /** Sends something ahead of a call's answer; once that has been given there is nobody to hear it. */
  notify(call: Call<Caller>, message: ServerMessage): void {
    if (this.#calls.has(call.id)) call.reply.notify(message)
  }

  /** Notes a request that never became a message: refused by the transport, or a GET or DELETE. */
  note(arrival: Omit<Arrival, 'server' | 'tool' | 'arguments'>): JournalEntry {
    return this.#options.instance.journal.open({
      ...arrival,
      server: this.#options.name,
      tool: null,
      arguments: undefined,
    })
  }

  /** Ends an entry that {@link note} opened. */
  noteEnd(entry: JournalEntry, outcome: 'ok' | 'protocol_error' | 'aborted', responseBytes: number): void {
    this.#options.instance.journal.close(entry, outcome, responseBytes)
  }

  /** Takes in one message; the answer, if there is one, goes to its reply. */
  receive(incoming: Incoming<Caller>): void {
    const { message, reply } = incoming
    const entry = this.#open(incoming)
    incoming.opened?.(entry)
    if (isRequest(message)) this.#request(message, incoming, entry)
    else if (isNotification(message)) {
      this.#options.instance.journal.close(entry, 'ok')
      if (message.method === 'notifications/cancelled') this.#cancelled(message.params, incoming)
      else this.#hand(message)
    } else if (isResponse(message)) {
      this.#options.instance.journal.close(entry, 'ok')
      this.#answered(message, incoming.conversation)
    } else {
      const id = isObject(message) && isRequestId(message.id) ? message.id : undefined
      this.#refuse(entry, reply, id, 'not a JSON-RPC 2.0 request, notification or response')
    }
  }

  /** What the SDK sends: answers go back under the caller's own id, the rest where it belongs. */
  async send(message: JSONRPCMessage, options?: TransportSendOptions): Promise<void> {
    if ('method' in message) {
      const related = options?.relatedRequestId
      if (related === undefined) {
        for (const conversation of this.#conversations) conversation.notify(message)
        return
      }
      const call = this.#calls.get(related)
      if (call === undefined) return
      if ('id' in message) this.#ask(message.id, call)
      call.reply.notify(message)
      return
    }
    const call = message.id === undefined ? undefined : this.#calls.get(message.id)
    if (call !== undefined) this.#answer(call, { ...message, id: call.callerId })
    else if (message.id !== undefined) this.#pinged(message.id)
  }

  #pinged(id: RequestId): void {
    this.#pings.get(id)?.()
    this.#pings.delete(id)
  }

  #ask(id: RequestId, call: Call<Caller>): void {
    const { transport, session } = call.conversation
    // Its answer would come in a POST of its own, and nothing would tell whose it is.
    if (transport === 'http' && session === null) {
      throw new Error('the caller has no session, so it cannot be asked anything: initialize first')
    }
    this.#asked.set(id, call)
  }

  #open({ message, raw, caller, headers, conversation }: Incoming<Caller>): JournalEntry {
    const method = isObject(message) && typeof message.method === 'string' ? message.method : null
    const params = isObject(message) && isObject(message.params) ? message.params : {}
    const isCall = method === 'tools/call'
    const meta = isObject(params._meta) ? params._meta : undefined
    return this.#options.instance.journal.open({
      server: this.#options.name,
      transport: conversation.transport,
      session: conversation.session,
      caller: this.#options.nameOf(caller),
      method,
      tool: isCall && typeof params.name === 'string' ? params.name : null,
      arguments: isCall ? params.arguments : undefined,
      headers,
      traceparent: meta?.traceparent,
      raw,
    })
  }

  #request(request: JSONRPCRequest, incoming: Incoming<Caller>, entry: JournalEntry): void {
    const { caller, conversation, reply } = incoming
    if (conversation.inflight.has(request.id)) {
      this.#refuse(entry, reply, request.id, `request id ${JSON.stringify(request.id)} is still in use`)
      return
    }
    const id = ++this.#lastId
    const call: Call<Caller> = {
      id,
      callerId: request.id,
      method: request.method,
      caller,
      conversation,
      reply,
      entry,
      cancellation: new Cancellation(),
    }
    this.#calls.set(id, call)
    conversation.inflight.set(request.id, call)
    const handler = this.#handlers.get(request.method)
    if (handler !== undefined) {
      const due = this.#due(call, request.params)
      if (due === undefined) void this.#run(handler, call, request.params)
      else {
        this.#held.add(call)
        meet(call, due, this.#options.instance.clock, {
          run: () => {
            this.#held.delete(call)
            void this.#run(handler, call, request.params)
          },
          answer: response => this.#answer(call, response),
          crash: () => this.#crash(call),
        })
      }
      return
    }
    if (this.#hand({ ...request, id }, { requestInfo: { headers: incoming.headers } })) return
    const why = `not a valid ${request.method} request`
    this.#answer(call, errorResponse(request.id, RpcCode.invalidRequest, why))
  }

  /** The faults set for a call of a tool, by that tool's genuine name. */
  #due(call: Call<Caller>, params: JSONRPCRequest['params']): Due | undefined {
    const { faults, catalogue } = this.#options.instance
    if (!faults.any || call.method !== 'tools/call' || typeof params?.name !== 'string') return undefined
    const caller = this.#options.nameOf(call.caller)
    return faults.due(this.name, catalogue.genuineName(this.name, caller, params.name))
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
    if (this.#calls.has(call.id)) this.#answer(call, response)
  }

  #errorOf(error: unknown, { callerId, method }: Call<Caller>): JsonRpcResponse {
    if (error instanceof McpError) return errorResponse(callerId, error.code, error.message)
    this.#options.onError(error instanceof Error ? error : new Error(String(error)))
    return errorResponse(callerId, RpcCode.internalError, `${method} failed: internal error`)
  }

  /** Hands a message to the SDK; tells whether it could read it. */
  #hand(message: JSONRPCMessage, extra?: MessageExtraInfo): boolean {
    const reading = { failed: false }
    this.#reading = reading
    this.onmessage?.(message, extra)
    this.#reading = undefined
    return !reading.failed
  }

  #answer(call: Call<Caller>, response: JsonRpcResponse): void {
    this.#drop(call)
    if (call.method === 'initialize' && 'result' in response) {
      call.conversation.version = String(response.result.protocolVersion)
    }
    const { fault } = call
    const sent = typeof fault === 'object' && 'bytes' in fault ? sized(response, fault.bytes) : response
    const bytes = call.reply.answer(sent)
    this.#options.instance.journal.close(call.entry, fault ? 'fault' : outcomeOf(response), bytes, sent)
  }

  #refuse(entry: JournalEntry, reply: Reply, id: RequestId | undefined, why: string): void {
    const message = `invalid request: ${why}`
    const answer =
      id === undefined
        ? anonymousError(RpcCode.invalidRequest, message)
        : errorResponse(id, RpcCode.invalidRequest, message)
    this.#options.instance.journal.close(entry, 'protocol_error', reply.answer(answer), answer)
  }

  #cancelled(params: unknown, { conversation }: Incoming<Caller>): void {
    if (!isObject(params) || !isRequestId(params.requestId)) return
    const inflight = conversation.inflight.get(params.requestId)
    const call = inflight && this.#calls.get(inflight.id)
    // The specification forbids cancelling `initialize`; what is not under way was answered already.
    if (call === undefined || call.method === 'initialize') return
    this.#cancel(call, typeof params.reason === 'string' ? params.reason : 'cancelled by the caller')
  }

  #cancel(call: Call<Caller>, reason: string): void {
    this.#drop(call)
    call.cancellation.cancel(reason)
    if (!this.#handlers.has(call.method)) {
      this.#hand({
        jsonrpc: '2.0',
        method: 'notifications/cancelled',
        params: { requestId: call.id, reason },
      })
    }
    call.reply.abandon()
    this.#options.instance.journal.close(call.entry, 'aborted')
  }

  #answered(response: JsonRpcResponse, conversation: Conversation): void {
    if (response.id === undefined || this.#asked.get(response.id)?.conversation !== conversation) return
    this.#asked.delete(response.id)
    this.#hand(response)
  }

  #drop(call: Call<Caller>): void {
    this.#calls.delete(call.id)
    this.#held.delete(call)
    call.conversation.inflight.delete(call.callerId)
    for (const [id, asking] of this.#asked) if (asking === call) this.#asked.delete(id)
  }
}

function outcomeOf(response: JsonRpcResponse): Outcome {
  if ('error' in response) return 'protocol_error'
  return response.result.isError === true ? 'tool_error' : 'ok'
}
