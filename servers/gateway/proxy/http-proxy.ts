import type { IncomingMessage, ServerResponse } from 'node:http'
import type { RequestId } from '@modelcontextprotocol/sdk/types.js'
import { Refusal } from '../../../shared/errors.js'
import type { HttpFace } from '../../../shared/http/listener.js'
import { readBody } from '../../../shared/http/read-body.js'
import { isObject } from '../../../shared/is-object.js'
import type { Log } from '../../../shared/log.js'
import { MAX_BODY_BYTES } from '../../../shared/mcp/http/endpoint.js'
import { accepted } from '../../../shared/mcp/http/negotiate.js'
import {
  bodyTooLarge,
  HttpRejection,
  invalidRequest,
  isInitialize,
  methodNotAllowed,
  requireJson,
} from '../../../shared/mcp/http/rejection.js'
import {
  anonymousError,
  isNotification,
  isRequest,
  isRequestId,
  RpcCode,
} from '../../../shared/mcp/messages.js'
import { batchRefusal } from '../../../shared/mcp/revisions.js'
import type { Gate, Settled, Verdict } from '../gate.js'
import { checkBearer } from '../grants/check-bearer.js'
import type { Grant } from '../grants/grant.js'
import type { Grants } from '../grants/grants.js'
import type { SessionOwners } from '../grants/session-owners.js'
import type { JudgedCall } from '../judged-call.js'
import { type ReadableBody, readableBody } from '../messages/body.js'
import { callOf, unsound } from '../messages/readable.js'
import type { CallerHeaders } from '../upstream/caller-headers.js'
import type { HttpUpstream } from '../upstream/http-upstream.js'
import { requireSameNames } from './named-in-headers.js'
import { OpenCalls } from './open-calls.js'
import { framed, ProxiedPost, STREAM, sendJson, type Waiting } from './proxied-post.js'
import { relayOther } from './relay-other.js'

export interface HttpProxyOptions {
  upstream: HttpUpstream
  headers: CallerHeaders
  gate: Gate
  grants: Grants
  owners: SessionOwners
  log: Log
}

/** One request and what is known of it. */
interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly grant: Grant
  readonly session: string | null
}

/** The messages of one POST, judged. */
interface Judged {
  /** What goes on to the upstream. */
  readonly onward: unknown[]
  /** What the gateway answers by itself. */
  readonly own: object[]
  readonly waiting: Map<RequestId, Waiting>
  readonly silent: JudgedCall[]
  readonly order: Map<RequestId, number>
}

/**
 * Streamable HTTP in front of Streamable HTTP: sessions, streams and answers are the upstream's own, passed on as they come. Only what a
 * policy has a say in is taken apart.
 */
export class HttpProxy implements HttpFace {
  readonly #options: HttpProxyOptions
  readonly #open = new OpenCalls()
  readonly #posts = new Set<ProxiedPost>()

  constructor(options: HttpProxyOptions) {
    this.#options = options
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    this.#answer(request, response).catch(error => this.#reject(response, error))
  }

  forbid(_request: IncomingMessage, response: ServerResponse, why: string): void {
    this.#reject(response, new HttpRejection(403, RpcCode.transport, why))
  }

  /** Answers what is open. */
  letGo(): void {
    for (const post of this.#posts) post.fail(503, 'the gateway is shutting down')
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { grants, owners } = this.#options
    const grant = checkBearer(request.headers, grants, owners)
    const session = request.headers['mcp-session-id']?.toString() ?? null
    const exchange = { request, response, grant, session }
    const { method } = request
    if (method === 'POST') {
      requireJson(request.headers)
      const bytes = await bodyOf(request)
      if (bytes !== undefined) await this.#post(exchange, readableBody(bytes))
    } else if (method === 'GET' || method === 'DELETE') this.#other(exchange, method)
    else throw methodNotAllowed(method)
  }

  async #post(exchange: Exchange, body: ReadableBody): Promise<void> {
    const { request, response, session } = exchange
    const { messages, batch } = body
    if (batch) {
      const version = request.headers['mcp-protocol-version']
      const refusal = batchRefusal(messages.length, version === undefined ? undefined : String(version))
      if (refusal !== undefined) throw invalidRequest(refusal)
    }
    requireSameNames(request.headers, body)
    const judged: Judged = { onward: [], own: [], waiting: new Map(), silent: [], order: orderOf(messages) }
    for (const message of messages) {
      const wrong = unsound(message)
      if (wrong !== undefined && !batch) throw invalidRequest(`invalid request: ${wrong}`)
      if (wrong !== undefined)
        judged.own.push(anonymousError(RpcCode.invalidRequest, `invalid request: ${wrong}`))
      else {
        const held = this.#judge(message, exchange, judged, batch)
        if (held !== undefined) await held
      }
    }
    if (response.destroyed) {
      for (const { call } of judged.waiting.values()) call?.end('cancelled', null)
      return
    }
    if (judged.onward.length === 0) ownAnswer(exchange, judged.own, batch)
    else this.#forward(exchange, body, judged, session)
  }

  /** Sorts one message by what becomes of it. @returns a promise if it has to wait for its approval */
  #judge(message: unknown, exchange: Exchange, judged: Judged, batch: boolean): Promise<void> | undefined {
    const { gate } = this.#options
    const { grant, session } = exchange
    if (!isRequest(message) && !isNotification(message)) {
      judged.onward.push(message)
      return undefined
    }
    if (message.method === 'notifications/cancelled') this.#cancelled(message.params, session)
    const call = callOf(message)
    const requestId = isRequest(message) ? message.id : null
    if (call === undefined) {
      this.#letOn(message, undefined, session, judged)
      return undefined
    }
    const verdict = gate.judge(call, { grant, session, requestId, patient: !batch && requestId !== null })
    if (verdict.kind !== 'hold') {
      this.#carryOut(verdict, message, session, judged)
      return undefined
    }
    return this.#hold(verdict, message, exchange, judged)
  }

  async #hold(
    verdict: Extract<Verdict, { kind: 'hold' }>,
    message: unknown,
    { response, session }: Exchange,
    judged: Judged,
  ): Promise<void> {
    response.on('close', verdict.withdraw)
    const done = isRequest(message) ? this.#open.add(session, message.id, verdict.withdraw) : () => undefined
    const settled = await verdict.decided
    done()
    response.off('close', verdict.withdraw)
    this.#carryOut(settled, message, session, judged)
  }

  #carryOut(verdict: Settled, message: unknown, session: string | null, judged: Judged): void {
    if (verdict.kind === 'pass') this.#letOn(message, verdict.call, session, judged)
    // Nobody waits for the answer to a notification.
    else if (isRequest(message)) judged.own.push({ jsonrpc: '2.0', id: message.id, result: verdict.result })
  }

  #letOn(message: unknown, call: JudgedCall | undefined, session: string | null, judged: Judged): void {
    judged.onward.push(message)
    if (!isRequest(message)) {
      if (call !== undefined) judged.silent.push(call)
      return
    }
    const waiting: Waiting = { call, cancelled: false, over: () => undefined }
    waiting.over = this.#open.add(session, message.id, () => {
      waiting.cancelled = true
    })
    judged.waiting.set(message.id, waiting)
  }

  #cancelled(params: unknown, session: string | null): void {
    if (isObject(params) && isRequestId(params.requestId)) this.#open.cancel(session, params.requestId)
  }

  #forward(exchange: Exchange, body: ReadableBody, judged: Judged, session: string | null): void {
    const { upstream, owners } = this.#options
    const { response, grant } = exchange
    const { batch, messages, text } = body
    const opening = session === null && isInitialize(messages[0])
    const post = new ProxiedPost({
      response,
      grant,
      batch,
      ...judged,
      answered(status, opened) {
        if (opening && opened !== undefined && status < 300) owners.opened(opened, grant.label)
        if (status === 404 && session !== null) owners.ended(session)
      },
    })
    this.#posts.add(post)
    response.on('close', () => this.#posts.delete(post))
    const all = judged.onward.length === messages.length
    const sent = upstream.send(
      {
        method: 'POST',
        ...this.#addressed(exchange),
        body: all ? text : JSON.stringify(judged.onward),
      },
      { answer: answer => post.answer(answer), fail: why => post.fail(502, why) },
    )
    post.sent(sent)
  }

  #other(exchange: Exchange, method: 'GET' | 'DELETE'): void {
    const { upstream, owners } = this.#options
    const { response, grant, session } = exchange
    const request = { method, ...this.#addressed(exchange) }
    relayOther(upstream, request, response, grant.engine, status => {
      if (session !== null && (status === 404 || (method === 'DELETE' && status < 300))) owners.ended(session)
    })
  }

  #addressed({ request, grant }: Exchange) {
    const { headers, upstream } = this.#options
    const mark = request.url?.indexOf('?') ?? -1
    return {
      query:
        mark < 0 && upstream.query.size === 0
          ? ''
          : headers.query(searchOf(request.url, mark), upstream.query),
      headers: headers.for(request.headers, grant, request.socket.remoteAddress),
    }
  }

  #reject(response: ServerResponse, error: unknown): void {
    if (!(error instanceof HttpRejection)) this.#options.log.error('a request could not be passed on', error)
    const { status, code, message, headers } =
      error instanceof HttpRejection
        ? error
        : new HttpRejection(500, RpcCode.internalError, 'internal error: the log of the gateway has it')
    if (response.headersSent) response.destroy()
    else sendJson(response, status, headers, JSON.stringify(anonymousError(code, message)))
  }
}

/** @returns undefined if the caller hung up meanwhile. @throws HttpRejection 413 */
async function bodyOf(request: IncomingMessage): Promise<Buffer | undefined> {
  try {
    return await readBody(request, MAX_BODY_BYTES)
  } catch (error) {
    if (error instanceof Refusal && error.code === 'body_too_large') throw bodyTooLarge(error.sentence)
    return undefined
  }
}

/** Answers a POST of which nothing goes on. */
function ownAnswer({ request, response }: Exchange, own: object[], batch: boolean): void {
  const [only] = own
  if (only === undefined) {
    response.writeHead(202).end()
    return
  }
  if (accepted(request.headers).json) {
    sendJson(response, 200, {}, JSON.stringify(batch ? own : only))
    return
  }
  response.writeHead(200, STREAM)
  response.end(own.map(framed).join(''))
}

/** @throws HttpRejection 400 for two requests of one id: an answer could be to either */
function orderOf(messages: unknown[]): Map<RequestId, number> {
  const order = new Map<RequestId, number>()
  for (const [at, message] of messages.entries()) {
    if (!isRequest(message)) continue
    if (order.has(message.id)) {
      throw invalidRequest(`two requests of the batch have the id ${JSON.stringify(message.id)}`)
    }
    order.set(message.id, at)
  }
  return order
}

function searchOf(url: string | undefined, mark: number): string {
  return mark < 0 || url === undefined ? '' : url.slice(mark)
}
