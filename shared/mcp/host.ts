import type { IncomingHttpHeaders } from 'node:http'
import type { Server } from '@modelcontextprotocol/sdk/server/index.js'
import { type JSONRPCRequest, McpError, type RequestId } from '@modelcontextprotocol/sdk/types.js'
import type { Refusal } from '../errors.js'
import type { Instance } from '../instance.js'
import type { JournalEntry, Outcome } from '../journal/entry.js'
import { isObject } from '../util/objects.js'
import { sized } from './apply-fault.js'
import { Arrivals, Calls, HeldCalls } from './calls.js'
import {
  type Call,
  type CallerClues,
  type Conversation,
  isModernOnly,
  type ModernRequest,
  type Reply,
  type ServerMessage,
} from './conversation.js'
import { UnknownTool } from './define-tool.js'
import { LegacyProtocol } from './legacy/legacy-protocol.js'
import type { Incoming, MessageHost, RefusedArrival } from './message-host.js'
import { type AnonymousError, errorResponse, isRequestId, type JsonRpcResponse, RpcCode } from './messages.js'
import { ModernProtocol, type ServerOffer } from './modern/modern-protocol.js'
import { RequestStates } from './modern/request-state.js'
import type { HostCore, ProtocolLayer, RequestHandler } from './protocol-layer.js'
import { ALL_REVISIONS, LEGACY_REVISIONS, type Revisions } from './revisions.js'

interface HostOptions<Caller> {
  /** The server's name in the journal, in faults and in overlays. */
  name: string
  instance: Pick<
    Instance,
    'clock' | 'machine' | 'ids' | 'journal' | 'faults' | 'catalogue' | 'knownTools' | 'crashed' | 'log'
  >
  /** The protocol revisions to serve over HTTP and stdio. Default: all revisions. */
  revisions?: Revisions
  /**
   * Identifies the caller.
   *
   * @throws Refusal if the request identifies its caller in an invalid way
   */
  identify(clues: CallerClues): Caller
  /** Returns the name of a caller in the journal. */
  nameOf(caller: Caller): string
  /** Removes the data of a session. Called when the session has ended. */
  forget?(session: string): void
  onError(error: Error): void
}

/**
 * The part of a server that all conversations share: open calls, faults and the journal. The rules of each
 * era are in its protocol layer.
 *
 * Two callers can use the same request id. The host therefore gives each request a second, unique id, so that
 * a cancellation reaches the right call. One host serves all requests, because creating a server for each
 * request would take ten times as long as the call.
 */
export class McpHost<Caller> implements MessageHost<Caller> {
  readonly identify: (clues: CallerClues) => Caller
  readonly revisions: Revisions
  readonly #options: HostOptions<Caller>
  readonly #handlers = new Map<string, RequestHandler<Caller>>()
  readonly #calls = new Calls<Caller>()
  readonly #held: HeldCalls<Caller>
  readonly #arrivals: Arrivals<Caller>
  readonly #legacy: LegacyProtocol<Caller>
  readonly #modern: ModernProtocol<Caller>
  readonly #conversations = new Set<Conversation>()
  /** Functions that cut connections after a crash. Joined conversations have their own `cut`. */
  readonly #cuts = new Set<() => void>()
  #states: RequestStates | undefined
  #closed = false

  constructor(options: HostOptions<Caller>) {
    this.#options = options
    this.identify = clues => options.identify(clues)
    this.revisions = options.revisions ?? ALL_REVISIONS
    const { name, instance } = options
    const nameOf = (caller: Caller) => options.nameOf(caller)
    this.#held = new HeldCalls({ name, instance, nameOf })
    this.#arrivals = new Arrivals({ name, journal: instance.journal, nameOf })
    const core = this.#core()
    this.#legacy = new LegacyProtocol({
      core,
      revisions: this.revisions,
      name,
      instance,
      onError: error => options.onError(error),
    })
    this.#modern = new ModernProtocol({ core, revisions: this.revisions })
  }

  get name(): string {
    return this.#options.name
  }

  get instance(): HostOptions<Caller>['instance'] {
    return this.#options.instance
  }

  /**
   * Connects the SDK's server and the modern handlers to this host.
   *
   * @param server the SDK's server, for legacy requests that have no handler
   * @param offer server info, capabilities and handlers for modern clients
   */
  mount(server: Server, offer: ServerOffer<Caller>): Promise<void> {
    this.#modern.offer(offer)
    return this.#legacy.mount(server)
  }

  /** Registers the handler of a method for both eras. It replaces the handler of the SDK. */
  handle(method: string, handler: RequestHandler<Caller>): void {
    this.#handlers.set(method, handler)
  }

  /** Returns the state of a request as a signed text for the client to keep. See {@link RequestStates}. */
  sealState(call: Call<Caller>, params: JSONRPCRequest['params'], value: unknown): string {
    return this.#requestStates().seal(value, this.#ownerOf(call, params))
  }

  /**
   * Returns the value that was given to {@link sealState}, after the client has sent it back. Returns
   * undefined if the client sent no state.
   *
   * @throws McpError -32602 for a state that does not belong to this request
   */
  openState(call: Call<Caller>, params: JSONRPCRequest['params']): unknown {
    return this.#requestStates().open(params?.requestState, this.#ownerOf(call, params))
  }

  /** Notifies legacy clients, and modern clients with a subscription, of a changed tool list. */
  announceTools(): void {
    this.#legacy.announceTools()
    this.#modern.announceTools()
  }

  /**
   * Sends a ping to the SDK's server as a caller would. The journal does not record the ping.
   *
   * @throws Error if the host has been closed
   */
  async ping(): Promise<void> {
    if (this.#closed) throw new Error('it has been closed')
    await this.#legacy.ping(this.#calls.nextId())
  }

  endSubscriptions(): void {
    this.#modern.endSubscriptions()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.endSubscriptions()
    for (const call of this.#calls.all()) this.#cancel(call, 'the server is shutting down')
    await this.#legacy.close()
  }

  /** Registers a function that cuts connections if this server crashes. */
  onCrash(cut: () => void): void {
    this.#cuts.add(cut)
  }

  /** Returns the name of a caller in the journal. */
  nameOf(caller: Caller): string {
    return this.#options.nameOf(caller)
  }

  /** Returns the name of the caller that sent request `id`, or an empty text if the request has ended. */
  callerOf(id: RequestId): string {
    const call = this.#calls.get(id)
    return call === undefined ? '' : this.nameOf(call.caller)
  }

  /** Returns the requests that have not been answered yet, in the order of their arrival. */
  underWay(): { entry: JournalEntry; caller: string; method: string }[] {
    return this.#calls.all().map(({ entry, caller, method }) => ({
      entry,
      caller: this.#options.nameOf(caller),
      method,
    }))
  }

  /** The number of requests that have not been answered yet. */
  get busy(): number {
    return this.#calls.size
  }

  /** Adds a conversation to those that receive the messages for all clients. */
  join(conversation: Conversation): void {
    this.#conversations.add(conversation)
  }

  /** Ends a conversation and cancels its open calls. */
  leave(conversation: Conversation, reason: string): void {
    this.#conversations.delete(conversation)
    this.cancelAll(conversation, reason)
    if (conversation.session !== null) this.#options.forget?.(conversation.session)
  }

  /** Cancels open calls of a conversation. See {@link MessageHost.cancelAll}. */
  cancelAll(conversation: Conversation, reason: string, reply?: Reply): void {
    for (const call of this.#calls.of(conversation, reply)) {
      // The cancellation of an earlier call can have ended this call.
      if (this.#calls.has(call)) this.#cancel(call, reason)
    }
  }

  /** Answers each call that a fault keeps open. The answer is the given refusal. */
  releaseHeld(refusal: Refusal): void {
    this.#held.release(refusal, (call, response) => this.#answer(call, response))
  }

  /** Sends a message before the answer to a call. After the answer, the message is dropped. */
  notify(call: Call<Caller>, message: ServerMessage): void {
    if (this.#calls.has(call)) call.reply.notify(message)
  }

  /** Opens the journal entry of a request that never reaches `receive`. See {@link MessageHost.note}. */
  note(arrival: RefusedArrival): JournalEntry {
    const { message, headers } = arrival
    const layer = this.#layerOf(this.revisions.isModern(message, headers))
    return this.#arrivals.note(arrival, layer.examine({ message, headers }))
  }

  /** Closes a journal entry that {@link note} opened. */
  noteEnd(entry: JournalEntry, outcome: 'ok' | 'protocol_error' | 'aborted', responseBytes: number): void {
    this.#options.instance.journal.close(entry, outcome, responseBytes)
  }

  /** Handles one message. The answer, if there is one, is sent through the reply of the message. */
  receive(incoming: Incoming<Caller>): void {
    const { message, headers, conversation } = incoming
    // An in-memory client is an SDK client, which speaks only legacy revisions.
    const revisions = conversation.transport === 'memory' ? LEGACY_REVISIONS : this.revisions
    const layer = this.#layerOf(revisions.isModern(message, headers))
    const examined = layer.examine(incoming)
    const entry = this.#arrivals.open(incoming, examined)
    incoming.opened?.(entry)
    layer.receive(incoming, entry, examined)
  }

  #layerOf(modern: boolean): ProtocolLayer<Caller> {
    return modern ? this.#modern : this.#legacy
  }

  /** Returns the functions of this host that the protocol layers use. */
  #core(): HostCore<Caller> {
    const { journal } = this.#options.instance
    return {
      handlers: this.#handlers,
      start: (request, incoming, entry, modern) => this.#start(request, incoming, entry, modern),
      run: (handler, call, params) => void this.#run(handler, call, params),
      answer: (call, response) => this.#answer(call, response),
      refuse: ({ reply }, entry, answer) => this.#send(reply, answer, entry, 'protocol_error'),
      accept: entry => journal.close(entry, 'ok'),
      cancelByNotice: (params, conversation) => this.#cancelByNotice(params, conversation),
      dismiss: call => this.#dismiss(call),
      callById: id => this.#calls.get(id),
      broadcast: message => this.#broadcast(message),
    }
  }

  #start(
    request: JSONRPCRequest,
    incoming: Incoming<Caller>,
    entry: JournalEntry,
    modern: ModernRequest | undefined,
  ): void {
    const { reply, headers } = incoming
    if (this.#calls.full) {
      const why = 'too many requests are under way: wait for their answers, or cancel some'
      const code = modern === undefined ? RpcCode.transport : RpcCode.internalError
      const answer = errorResponse(request.id, code, why)
      this.#options.instance.journal.close(entry, 'protocol_error', reply.answer(answer), answer)
      return
    }
    const call = this.#calls.add(request, incoming, entry, modern)
    if (call === undefined) {
      const why = `invalid request: request id ${JSON.stringify(request.id)} is still in use`
      this.#send(reply, errorResponse(request.id, RpcCode.invalidRequest, why), entry, 'protocol_error')
      return
    }
    const due = this.#held.due(call, request.params?.name)
    if (due === undefined) this.#runIn(call, request, headers)
    else {
      this.#held.applyFault(call, due, {
        run: () => this.#runIn(call, request, headers),
        answer: response => this.#answer(call, response),
        crash: () => this.#crash(call),
      })
    }
  }

  #runIn(call: Call<Caller>, request: JSONRPCRequest, headers: IncomingHttpHeaders): void {
    this.#layerOf(call.modern !== undefined).run(call, request, headers)
  }

  #broadcast(message: ServerMessage): void {
    for (const conversation of this.#conversations) {
      if (!isModernOnly(conversation)) conversation.notify(message)
    }
  }

  #requestStates(): RequestStates {
    const { ids, clock } = this.#options.instance
    this.#states ??= new RequestStates(ids.stream(`${this.name} request states`).bytes(32), clock)
    return this.#states
  }

  #ownerOf({ caller, method }: Call<Caller>, params: JSONRPCRequest['params']) {
    return { caller: this.#options.nameOf(caller), method, params }
  }

  /** Ends the server as a killed process would end. Calls get no answers, and connections are cut. */
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

  #errorOf(error: unknown, call: Call<Caller>): JsonRpcResponse {
    const { callerId, method, modern } = call
    if (error instanceof McpError) return errorResponse(callerId, error.code, error.message, error.data)
    if (error instanceof UnknownTool) {
      return this.#layerOf(modern !== undefined).unknownTool(call, error.message)
    }
    this.#options.onError(error instanceof Error ? error : new Error(String(error)))
    return errorResponse(callerId, RpcCode.internalError, `${method} failed: internal error`)
  }

  #answer(call: Call<Caller>, response: JsonRpcResponse): void {
    this.#drop(call)
    const { fault, modern } = call
    const layer = this.#layerOf(modern !== undefined)
    layer.answered(call, response)
    const formatted = layer.formatAnswer(call, response)
    const sent =
      typeof fault === 'object' && 'bytes' in fault
        ? sized(formatted, fault.bytes, modern !== undefined)
        : formatted
    this.#send(call.reply, sent, call.entry, fault ? 'fault' : outcomeOf(formatted))
  }

  /** Sends an answer. Closes the journal entry first, so that a later crash cannot lose the entry. */
  #send(reply: Reply, answer: JsonRpcResponse | AnonymousError, entry: JournalEntry, outcome: Outcome): void {
    const close = (bytes: number) => this.#options.instance.journal.close(entry, outcome, bytes, answer)
    // Some replies do not call `close` before they send. A second close has no effect.
    close(reply.answer(answer, close))
  }

  #cancelByNotice(params: unknown, conversation: Conversation): void {
    if (!isObject(params) || !isRequestId(params.requestId)) return
    const call = this.#calls.findOpen(params.requestId, conversation)
    // The specification forbids cancelling `initialize`. A call that is not found has been answered already.
    if (call === undefined || call.method === 'initialize') return
    this.#cancel(call, typeof params.reason === 'string' ? params.reason : 'cancelled by the caller')
  }

  #cancel(call: Call<Caller>, reason: string): void {
    this.#drop(call)
    call.cancellation.cancel(reason)
    this.#layerOf(call.modern !== undefined).cancelled(call, reason)
    this.#options.instance.journal.close(call.entry, 'aborted')
    call.reply.abandon()
  }

  #dismiss(call: Call<Caller>): void {
    this.#drop(call)
    this.#options.instance.journal.close(call.entry, 'ok')
    call.reply.abandon()
  }

  #drop(call: Call<Caller>): void {
    this.#calls.drop(call)
    this.#held.drop(call)
    this.#layerOf(call.modern !== undefined).ended(call)
  }
}

function outcomeOf(response: JsonRpcResponse): Outcome {
  if ('error' in response) return 'protocol_error'
  return response.result.isError === true ? 'tool_error' : 'ok'
}
