import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { Refusal } from '../../../shared/errors.js'
import type { HttpHandler } from '../../../shared/http/listener.js'
import { readBody } from '../../../shared/http/read-body.js'
import { MAX_BODY_BYTES } from '../../../shared/mcp/http/endpoint.js'
import {
  accepted,
  bodyTooLarge,
  HttpRejection,
  invalidRequest,
  isInitialize,
  methodNotAllowed,
  requireJson,
} from '../../../shared/mcp/http/rejection.js'
import { anonymousError, batchRefusal, RpcCode } from '../../../shared/mcp/messages.js'
import { isObject } from '../../../shared/util/is-object.js'
import type { Log } from '../../../shared/util/log.js'
import type { Gate } from '../enforcement.js'
import { checkCaller, type Grant, type Grants, type SessionOwners } from '../grants.js'
import { type ReadableBody, readableBody, withoutHidden, written } from '../messages.js'
import type { PolicyEngine } from '../policy/model.js'
import { JudgedPost, OpenCalls } from './enforce-post.js'
import { ProxiedPost } from './forward-post.js'
import type { CallerHeaders } from './forwarded-headers.js'
import type { HttpUpstream, UpstreamAnswer } from './http-upstream.js'
import { readAnswer } from './read-response.js'
import { relayEvents } from './relay-events.js'
import { excerpt, framed, isEventStream, passedHeaders, STREAM, sendJson } from './send-response.js'

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

/**
 * Streamable HTTP in front of Streamable HTTP: sessions, streams and answers are the upstream's own, passed
 * on as they come. Only what a policy has a say in is taken apart.
 */
export class HttpProxy implements HttpHandler {
  readonly #options: HttpProxyOptions
  readonly #open = new OpenCalls()
  readonly #posts = new Set<ProxiedPost>()

  constructor(options: HttpProxyOptions) {
    this.#options = options
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    this.#answer(request, response).catch(error => this.#reject(response, error))
  }

  rejectForbidden(_request: IncomingMessage, response: ServerResponse, why: string): void {
    this.#reject(response, new HttpRejection(403, RpcCode.transport, why))
  }

  /** Answers what is open. */
  letGo(): void {
    for (const post of this.#posts) post.fail(503, 'the gateway is shutting down')
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { grants, owners } = this.#options
    const grant = await checkCaller(request.headers, grants, owners)
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
    const judged = new JudgedPost({ gate: this.#options.gate, open: this.#open, ...exchange, batch })
    await judged.take(messages)
    if (response.destroyed) {
      judged.drop()
      return
    }
    if (judged.onward.length === 0) ownAnswer(exchange, judged.own, batch)
    else this.#forward(exchange, body, judged, session)
  }

  #forward(exchange: Exchange, body: ReadableBody, judged: JudgedPost, session: string | null): void {
    const { upstream, owners } = this.#options
    const { response, grant } = exchange
    const { batch, messages, text } = body
    const opening = session === null && isInitialize(messages[0])
    const post = new ProxiedPost({
      response,
      grant,
      batch,
      order: judged.order,
      waiting: judged.waiting,
      silent: judged.silent,
      own: judged.own,
      answered(status, opened) {
        if (opening && opened !== undefined && status < 300) owners.opened(opened, grant.label)
        if (status === 404 && session !== null) owners.ended(session)
      },
    })
    this.#posts.add(post)
    response.on('close', () => this.#posts.delete(post))
    const all = judged.onward.length === messages.length
    const sentText = all ? text : written(judged.onward)
    if (sentText === undefined) {
      post.fail(400, 'the batch is nested too deeply to be taken apart: send its calls one by one')
      return
    }
    const sent = upstream.send(
      {
        method: 'POST',
        ...this.#addressed(exchange),
        body: sentText,
      },
      { answer: answer => post.answer(answer), fail: why => post.fail(502, why) },
    )
    post.sent(sent)
  }

  /** Passes on a request that carries no message: GET for a stream, DELETE for the end of a session. */
  #other(exchange: Exchange, method: 'GET' | 'DELETE'): void {
    const { upstream, owners } = this.#options
    const { response, grant, session } = exchange
    const fail = (status: number, why: string) => {
      sendJson(response, status, {}, JSON.stringify(anonymousError(RpcCode.transport, why)))
    }
    const sent = upstream.send(
      { method, ...this.#addressed(exchange) },
      {
        answer(answer) {
          const { status } = answer
          if (session !== null && (status === 404 || (method === 'DELETE' && status < 300)))
            owners.ended(session)
          if (status < 300 && isEventStream(answer)) relayStream(answer, response, grant.engine)
          else relayWhole(answer, response, fail)
        },
        fail: why => fail(502, why),
      },
    )
    response.on('close', () => {
      if (!response.writableFinished) sent.abort()
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

function searchOf(url: string | undefined, mark: number): string {
  return mark < 0 || url === undefined ? '' : url.slice(mark)
}

/**
 * Revision 2026-07-28 names method and tool in headers, too, and an upstream may go by those.
 *
 * @throws HttpRejection 400 if they say something else than the body, which is what the policy judges
 */
function requireSameNames(headers: IncomingHttpHeaders, { messages, batch }: ReadableBody): void {
  const { 'mcp-method': method, 'mcp-name': name } = headers
  if (method === undefined && name === undefined) return
  const [message] = messages
  const body = !batch && isObject(message) ? message : {}
  if (method !== undefined && method !== body.method) {
    throw invalidRequest('the header Mcp-Method differs from the method in the body')
  }
  const params = isObject(body.params) ? body.params : {}
  if (name !== undefined && name !== (params.name ?? params.uri)) {
    throw invalidRequest('the header Mcp-Name differs from the name in the body')
  }
}

function relayStream(
  { headers, body }: UpstreamAnswer,
  response: ServerResponse,
  engine: Pick<PolicyEngine, 'hides'>,
): void {
  response.writeHead(200, { ...passedHeaders(headers), ...STREAM })
  response.flushHeaders()
  relayEvents(body, response, {
    // An answer that is replayed here may be a list of tools.
    message: message =>
      Array.isArray(message)
        ? message.map(one => withoutHidden(one, engine))
        : withoutHidden(message, engine),
    // A stream that was cut is one that the caller is to open again.
    ended: why => (why === undefined ? response.end() : response.destroy()),
  })
}

function relayWhole(
  { status, headers, body }: UpstreamAnswer,
  response: ServerResponse,
  fail: (status: number, why: string) => void,
): void {
  readAnswer(body, read => {
    if (response.destroyed) return
    if (!read.ok) fail(502, `the upstream ${read.why}`)
    else if (status === 401 || status === 407) {
      fail(502, `the upstream did not take this gateway's credential (HTTP ${status})`)
    } else if (status < 300) response.writeHead(status, passedHeaders(headers)).end()
    else if (isErrorMessage(read.text)) sendJson(response, status, passedHeaders(headers), read.text)
    else fail(status, `the upstream answered HTTP ${status}${excerpt(read.text)}`)
  })
}

function isErrorMessage(text: string): boolean {
  try {
    const message: unknown = JSON.parse(text)
    return isObject(message) && isObject(message.error)
  } catch {
    return false
  }
}
