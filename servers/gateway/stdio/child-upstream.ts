import {
  type JSONRPCNotification,
  type JSONRPCRequest,
  LATEST_PROTOCOL_VERSION,
  type ProgressToken,
  type RequestId,
  type Result,
} from '@modelcontextprotocol/sdk/types.js'
import type { Clock } from '../../../shared/clock/clock.js'
import { type Conversation, isModernOnly, type ServerMessage } from '../../../shared/mcp/conversation.js'
import {
  errorResponse,
  isNotification,
  isRequest,
  isRequestId,
  isResponse,
  type JsonRpcResponse,
  RpcCode,
} from '../../../shared/mcp/messages.js'
import { MetaKey } from '../../../shared/mcp/revisions.js'
import type { Log } from '../../../shared/util/log.js'
import { defined, isObject } from '../../../shared/util/objects.js'
import { VERSION } from '../../../shared/util/version.js'
import { isModern } from '../era.js'
import type { CommandUpstream } from '../options.js'
import { Child } from './child-process.js'
import type { Link, RequestSink, Upstream } from './link.js'

/**
 * Matches control characters and invalid UTF-8. A line with such a character is not text, but part of a
 * compressed or binary answer.
 */
const BINARY = /[^\P{Cc}\t]|\ufffd/u

/** A request of a client that the program has not answered yet. */
interface OpenRequest {
  readonly link: ChildLink
  readonly callerId: RequestId
  readonly method: string
  readonly token: ProgressToken | undefined
  readonly sink: RequestSink
}

export interface ChildUpstreamOptions {
  upstream: CommandUpstream
  machine: Clock
  log: Log
  /** Called when the program has exited by itself. */
  onEnd(code: number): void
}

/**
 * A program that serves all clients of the gateway over one pipe. To the program, they look like one client.
 *
 * Request ids, progress tokens and subscription ids are replaced, because two clients can use the same
 * values. Only the first `initialize` reaches the program. Its result also answers each later `initialize`.
 */
export class ChildUpstream implements Upstream {
  readonly #log: Log
  readonly #openRequests = new Map<number, OpenRequest>()
  readonly #links = new Set<ChildLink>()
  /** For each open request of the program: the client that has to answer it. The key is the request id. */
  readonly #childRequests = new Map<RequestId, ChildLink>()
  #child: Child | undefined
  #lastId = 0
  #ended: number | undefined
  #closing = false
  /** The result of the first `initialize`. Undefined before it is sent, and after it has failed. */
  #initializeResult: Promise<Result | undefined> | undefined
  #initializedSent = false

  private constructor(log: Log) {
    this.#log = log
  }

  /** Starts the program. @throws Refusal `cannot_start` */
  static async start({ upstream, machine, log, onEnd }: ChildUpstreamOptions): Promise<ChildUpstream> {
    const started = new ChildUpstream(log)
    started.#child = await Child.start(upstream, machine, {
      line: line => started.#onLine(line),
      tooLong: why => started.#onUnreadable('', why),
      ended: code => {
        started.#ended = code
        started.#failAll(`the upstream has ended (exit code ${code})`)
        if (!started.#closing) onEnd(code)
      },
    })
    return started
  }

  open(conversation: Conversation): ChildLink {
    const link = new ChildLink(this, conversation)
    this.#links.add(link)
    return link
  }

  async close(): Promise<void> {
    this.#closing = true
    await this.#child?.close()
  }

  request(link: ChildLink, message: JSONRPCRequest, sink: RequestSink): void {
    if (message.method === 'initialize' && !isModern(message, {})) this.#initialize(link, message, sink)
    // These requests are sent without an `initialize` of the gateway. A client on a pipe sends its own
    // `initialize`. A ping needs no `initialize`, and the modern era has none.
    else if (link.conversation.transport === 'stdio' || message.method === 'ping' || isModern(message, {}))
      this.#send(link, message, sink)
    else void this.#ensureInitialized().then(() => this.#send(link, message, sink))
  }

  cancel(link: ChildLink, callerId: RequestId, reason: string): void {
    for (const [id, request] of this.#openRequests) {
      if (request.link !== link || request.callerId !== callerId) continue
      // `initialize` cannot be cancelled, because other clients may wait for its result.
      if (request.method === 'initialize') return
      this.#openRequests.delete(id)
      this.#write({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id, reason } })
    }
  }

  notify(message: JSONRPCNotification): void {
    if (message.method === 'notifications/initialized') {
      if (this.#initializedSent) return
      this.#initializedSent = true
    }
    this.#write(message)
  }

  respond(link: ChildLink, message: JsonRpcResponse): void {
    // An answer from any other client than the one that got the request is ignored.
    if (message.id === undefined || this.#childRequests.get(message.id) !== link) return
    this.#childRequests.delete(message.id)
    this.#write(message)
  }

  leave(link: ChildLink): void {
    this.#links.delete(link)
    for (const [id, client] of this.#childRequests) {
      if (client !== link) continue
      this.#childRequests.delete(id)
      this.#write(errorResponse(id, RpcCode.transport, 'the client that got the request has disconnected'))
    }
  }

  #initialize(link: ChildLink, message: JSONRPCRequest, sink: RequestSink): void {
    if (this.#initializeResult !== undefined) {
      void this.#initializeResult.then(known => {
        if (known === undefined) this.#initialize(link, message, sink)
        else sink.answered({ jsonrpc: '2.0', id: message.id, result: known }, null)
      })
      return
    }
    this.#initializeResult = new Promise(resolve => {
      this.#send(link, message, {
        ...sink,
        answered: (response, status, lost) => {
          const result = 'result' in response ? response.result : undefined
          if (result === undefined) this.#initializeResult = undefined
          resolve(result)
          sink.answered(response, status, lost)
        },
      })
    })
  }

  /**
   * Sends the program an `initialize` of the gateway, unless a client has already initialized the program.
   */
  async #ensureInitialized(): Promise<void> {
    if (this.#initializeResult !== undefined && (await this.#initializeResult) !== undefined) return
    const own = this.open(GATEWAY_CONVERSATION)
    const params = {
      protocolVersion: LATEST_PROTOCOL_VERSION,
      capabilities: {},
      clientInfo: { name: 'mcp-understudy-gateway', version: VERSION },
    }
    await new Promise<void>(resolve => {
      const sink = { answered: () => resolve(), preceded: () => undefined, dismissed: () => resolve() }
      this.#initialize(own, { jsonrpc: '2.0', id: 0, method: 'initialize', params }, sink)
    })
    this.notify({ jsonrpc: '2.0', method: 'notifications/initialized' })
    this.leave(own)
  }

  #send(link: ChildLink, message: JSONRPCRequest, sink: RequestSink): void {
    const { id: callerId, method, params } = message
    if (this.#ended !== undefined) {
      const why = `the upstream has ended (exit code ${this.#ended})`
      sink.answered(errorResponse(callerId, RpcCode.transport, why), null, 'lost')
      return
    }
    if (link.closed) return
    const id = ++this.#lastId
    const token = params?._meta?.progressToken
    this.#openRequests.set(id, { link, callerId, method, token, sink })
    const marked =
      token === undefined ? params : { ...params, _meta: { ...params?._meta, progressToken: id } }
    this.#write({ jsonrpc: '2.0', id, method, ...defined({ params: marked }) })
  }

  #onLine(line: string): void {
    let message: unknown
    try {
      message = JSON.parse(line)
    } catch {
      this.#onUnreadable(line, 'the upstream wrote a line that is not JSON')
      return
    }
    for (const one of Array.isArray(message) ? message : [message]) this.#onMessage(one)
  }

  #onMessage(message: unknown): void {
    if (isRequest(message)) this.#onRequest(message)
    else if (isNotification(message)) this.#onNotification(message)
    else if (isObject(message) && typeof message.id === 'number' && this.#openRequests.has(message.id)) {
      this.#onAnswer(message.id, message)
    } else this.#log.warn('the upstream wrote a message that answers no request')
  }

  #onAnswer(id: number, message: Record<string, unknown>): void {
    const request = this.#openRequests.get(id)
    if (request === undefined) return
    this.#openRequests.delete(id)
    const { callerId, sink } = request
    if (isResponse(message))
      sink.answered(withCallerSubscription(callerId, { ...message, id: callerId }), null)
    else {
      const why = 'the upstream wrote an answer that is not a JSON-RPC response'
      sink.answered(errorResponse(callerId, RpcCode.transport, why), null, 'lost')
    }
  }

  #onNotification(message: JSONRPCNotification): void {
    const { progressToken } = message.params ?? {}
    if (message.method === 'notifications/progress') {
      const request = typeof progressToken === 'number' ? this.#openRequests.get(progressToken) : undefined
      if (request?.token === undefined) return
      request.sink.preceded({ ...message, params: { ...message.params, progressToken: request.token } })
      return
    }
    const { requestId } = message.params ?? {}
    if (message.method === 'notifications/cancelled' && isRequestId(requestId)) {
      const client = this.#childRequests.get(requestId)
      if (client === undefined) this.#endSubscription(requestId, message.params?.reason)
      else client.conversation.notify(message)
      return
    }
    const subscription = message.params?._meta?.[MetaKey.subscription]
    if (subscription === undefined) {
      for (const { conversation } of this.#links) {
        if (!isModernOnly(conversation)) conversation.notify(message)
      }
      return
    }
    const subscriber = typeof subscription === 'number' ? this.#openRequests.get(subscription) : undefined
    if (subscriber === undefined) return
    const _meta = { ...message.params?._meta, [MetaKey.subscription]: subscriber.callerId }
    subscriber.sink.preceded({ ...message, params: { ...message.params, _meta } })
  }

  /** Ends the subscription with this id, because the program has cancelled it. */
  #endSubscription(id: RequestId, reason: unknown): void {
    const request = typeof id === 'number' ? this.#openRequests.get(id) : undefined
    if (typeof id !== 'number' || request?.method !== 'subscriptions/listen') return
    this.#openRequests.delete(id)
    request.sink.dismissed(typeof reason === 'string' ? reason : 'the upstream has ended it')
  }

  /**
   * Passes a request of the program to the only client with open requests. If no client has open requests, it
   * goes to the first client. If several clients have open requests, the program gets an error.
   */
  #onRequest(message: JSONRPCRequest): void {
    const busy = [...this.#openRequests.values()].filter(({ link }) => canAnswer(link))
    const links = new Set(busy.map(({ link }) => link))
    const [only] = links.size > 0 ? links : [...this.#links].filter(canAnswer)
    if (only === undefined || links.size > 1) {
      const why =
        only === undefined
          ? 'no client is connected that can answer it'
          : 'several clients have open requests, so it is unclear which client it is for'
      this.#write(
        errorResponse(
          message.id,
          RpcCode.transport,
          `the gateway cannot pass ${message.method} to a client: ${why}`,
        ),
      )
      return
    }
    this.#childRequests.set(message.id, only)
    const call = busy.findLast(({ link }) => link === only)
    if (call === undefined) only.conversation.notify(message)
    else call.sink.preceded(message)
  }

  /**
   * Fails the requests that an unreadable line could be the answer to. Their callers would otherwise wait
   * forever.
   */
  #onUnreadable(line: string, why: string): void {
    const ids = possibleIds(line, [...this.#openRequests.keys()])
    if (ids.length === 0) this.#log.warn(`${why}. It is not the answer to a request`)
    for (const id of ids) {
      const request = this.#openRequests.get(id)
      this.#openRequests.delete(id)
      request?.sink.answered(errorResponse(request.callerId, RpcCode.transport, why), null, 'lost')
    }
  }

  #failAll(why: string): void {
    const open = [...this.#openRequests.values()]
    this.#openRequests.clear()
    for (const { callerId, sink } of open) {
      sink.answered(errorResponse(callerId, RpcCode.transport, why), null, 'lost')
    }
  }

  #write(message: object): void {
    this.#child?.write(JSON.stringify(message))
  }
}

/**
 * Replaces the subscription id in an answer by the request id of the client. Returns an answer without a
 * subscription id unchanged.
 */
function withCallerSubscription(callerId: RequestId, message: JsonRpcResponse): JsonRpcResponse {
  if (!('result' in message) || message.result._meta?.[MetaKey.subscription] === undefined) return message
  const _meta = { ...message.result._meta, [MetaKey.subscription]: callerId }
  return { ...message, result: { ...message.result, _meta } }
}

/**
 * Returns whether a client can answer requests of the program. Over HTTP, the answer arrives in a separate
 * POST, which only a session connects to the request.
 */
function canAnswer({ conversation }: ChildLink): boolean {
  return conversation.transport === 'stdio' || conversation.session !== null
}

/** The conversation for an `initialize` of the gateway itself. */
const GATEWAY_CONVERSATION: Conversation = {
  transport: 'memory',
  session: null,
  inflight: new Map(),
  notify: (_message: ServerMessage) => undefined,
}

/**
 * Returns the ids of the requests that an unreadable line could be the answer to. If the line contains the id
 * of an open request, returns that id. If the line looks like a message without an id, returns the ids of all
 * open requests. If the line is plain text, returns no id, because some programs write their log to stdout.
 */
function possibleIds(line: string, open: readonly number[]): readonly number[] {
  const named = /"id"\s*:\s*(\d+)/.exec(line)?.[1]
  const id = open.find(known => String(known) === named)
  if (id !== undefined) return [id]
  const message = line === '' || line.startsWith('{') || line.startsWith('[') || BINARY.test(line)
  return message && named === undefined ? open : []
}

/** The connection of one client to the pipe that all clients share. */
class ChildLink implements Link {
  closed = false
  readonly #pipe: ChildUpstream

  constructor(
    pipe: ChildUpstream,
    readonly conversation: Conversation,
  ) {
    this.#pipe = pipe
  }

  request(message: JSONRPCRequest, sink: RequestSink): void {
    this.#pipe.request(this, message, sink)
  }

  cancel(id: RequestId, reason: string): void {
    this.#pipe.cancel(this, id, reason)
  }

  notify(message: JSONRPCNotification): void {
    this.#pipe.notify(message)
  }

  respond(message: JsonRpcResponse): void {
    this.#pipe.respond(this, message)
  }

  close(): void {
    this.closed = true
    this.#pipe.leave(this)
  }
}
