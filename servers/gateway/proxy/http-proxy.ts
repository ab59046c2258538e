import type { IncomingMessage, ServerResponse } from 'node:http'
import { Refusal } from '../../../shared/errors.js'
import type { HttpHandler } from '../../../shared/http/listener.js'
import { queryTextOf } from '../../../shared/http/operation.js'
import { readBody } from '../../../shared/http/read-body.js'
import { MAX_BODY_BYTES } from '../../../shared/mcp/http/endpoint.js'
import {
  accepted,
  bodyTooLarge,
  HttpRejection,
  isInitialize,
  methodNotAllowed,
  modernBatch,
  rejectionBody,
  requireBatchAllowed,
  requireJson,
} from '../../../shared/mcp/http/rejection.js'
import { anonymousError, RpcCode } from '../../../shared/mcp/messages.js'
import { notedRevision } from '../../../shared/mcp/request-meta.js'
import type { Log } from '../../../shared/util/log.js'
import { isObject } from '../../../shared/util/objects.js'
import type { Enforcement } from '../enforcement.js'
import { isModern, postFault, revisionIn } from '../era.js'
import { checkCaller, checkSession, type Grant, type Grants, type SessionOwners } from '../grants.js'
import { formatJson, type ReadableBody, readableBody, withoutHidden } from '../messages.js'
import type { PolicyEngine } from '../policy/model.js'
import { JudgedPost, OpenCalls } from './enforce-post.js'
import { ProxiedPost } from './forward-post.js'
import type { CallerHeaders } from './forwarded-headers.js'
import type { HttpUpstream, UpstreamAnswer } from './http-upstream.js'
import { readAnswer } from './read-response.js'
import { relayEvents } from './relay-events.js'
import { excerpt, isEventStream, messageEvent, passedHeaders, STREAM, sendJson } from './send-response.js'

export interface HttpProxyOptions {
  upstream: HttpUpstream
  headers: CallerHeaders
  enforcement: Enforcement
  grants: Grants
  owners: SessionOwners
  log: Log
}

/** A request whose caller has been identified. */
interface IdentifiedRequest {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly grant: Grant
  /** The session id of a legacy request. Null if the request has none, and for every modern request. */
  readonly session: string | null
  readonly modern: boolean
}

/** A request whose caller has not been identified yet. */
interface ArrivedRequest {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** The body of a POST. Undefined before the body has been read. */
  body?: ReadableBody
}

/**
 * Passes requests of clients over Streamable HTTP to an upstream over Streamable HTTP. Calls are judged by
 * the policy, and hidden tools are removed from lists of tools. All other messages are passed on unchanged.
 */
export class HttpProxy implements HttpHandler {
  readonly #options: HttpProxyOptions
  readonly #open = new OpenCalls()
  readonly #posts = new Set<ProxiedPost>()

  constructor(options: HttpProxyOptions) {
    this.#options = options
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    const arrived = { request, response }
    this.#answer(arrived).catch(error => this.#reject(arrived, error))
  }

  rejectForbidden(request: IncomingMessage, response: ServerResponse, why: string): void {
    this.#reject({ request, response }, new HttpRejection(403, RpcCode.transport, why))
  }

  /** Answers all open POST requests. Used when the gateway shuts down. */
  failPending(): void {
    for (const post of this.#posts) post.close()
  }

  async #answer(arrived: ArrivedRequest): Promise<void> {
    const { request } = arrived
    const { headers, method } = request
    const grant = await checkCaller(headers, this.#options.grants)
    if (method === 'GET' || method === 'DELETE') {
      this.#passWithoutMessage(this.#withSession(arrived, grant, false), method)
      return
    }
    if (method !== 'POST') throw methodNotAllowed(method)
    const bytes = await bodyOf(request)
    if (bytes === undefined) return
    const body = readableBody(bytes)
    arrived.body = body
    requireJson(headers)
    const modern = isModern(parsedOf(body), headers)
    if (body.batch && modern) throw modernBatch()
    if (body.batch) requireBatchAllowed(body.messages, headers, undefined)
    await this.#post(this.#withSession(arrived, grant, modern), body)
  }

  /**
   * Reads the session of a request and checks that it belongs to the grant.
   *
   * @throws HttpRejection 404 if the grant has not opened the session of a legacy request
   */
  #withSession({ request, response }: ArrivedRequest, grant: Grant, modern: boolean): IdentifiedRequest {
    const { grants, owners } = this.#options
    if (!modern) checkSession(request.headers, grant, grants, owners)
    const session = modern ? null : (request.headers['mcp-session-id']?.toString() ?? null)
    return { request, response, grant, session, modern }
  }

  async #post(exchange: IdentifiedRequest, body: ReadableBody): Promise<void> {
    const { request, response, session, modern } = exchange
    const { messages, batch } = body
    const fault = postFault(messages, request.headers, modern)
    if (fault !== undefined) throw new HttpRejection(400, fault.code, fault.message)
    const { enforcement } = this.#options
    const protocol = revisionIn(messages[0]) ?? notedRevision(request.headers['mcp-protocol-version'])
    const judged = new JudgedPost({ enforcement, open: this.#open, ...exchange, batch, protocol })
    await judged.judgeAll(messages)
    if (response.destroyed) {
      judged.drop()
      return
    }
    if (judged.forwarded.length === 0) ownAnswer(exchange, judged.own, batch)
    else this.#forward(exchange, body, judged, session)
  }

  #forward(
    exchange: IdentifiedRequest,
    body: ReadableBody,
    judged: JudgedPost,
    session: string | null,
  ): void {
    const { upstream, owners } = this.#options
    const { response, grant, modern } = exchange
    const { batch, messages, text } = body
    const opening = session === null && isInitialize(messages[0])
    const post = new ProxiedPost({
      response,
      grant,
      batch,
      modern,
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
    const all = judged.forwarded.length === messages.length
    const sentText = all ? text : formatJson(judged.forwarded)
    if (sentText === undefined) {
      post.fail(
        400,
        'the batch is nested too deeply to be split: send each of its calls in a separate request',
      )
      return
    }
    const sent = upstream.send(
      {
        method: 'POST',
        ...this.#queryAndHeaders(exchange),
        body: sentText,
      },
      { answer: answer => post.answer(answer), fail: why => post.fail(502, why) },
    )
    post.sent(sent)
  }

  /**
   * Passes a GET or a DELETE on. A GET opens a stream, and a DELETE ends a session. Neither has a message.
   */
  #passWithoutMessage(exchange: IdentifiedRequest, method: 'GET' | 'DELETE'): void {
    const { upstream, owners } = this.#options
    const { response, grant, session } = exchange
    const fail = (status: number, why: string) => {
      sendJson(response, status, {}, JSON.stringify(anonymousError(RpcCode.transport, why)))
    }
    const sent = upstream.send(
      { method, ...this.#queryAndHeaders(exchange) },
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

  #queryAndHeaders({ request, grant, modern }: IdentifiedRequest) {
    const { headers, upstream } = this.#options
    const search = queryTextOf(request)
    return {
      query: search === '' && upstream.query.size === 0 ? '' : headers.query(search, upstream.query),
      headers: headers.for(request.headers, grant, request.socket.remoteAddress, modern),
    }
  }

  #reject({ request, response, body }: ArrivedRequest, error: unknown): void {
    if (!(error instanceof HttpRejection))
      this.#options.log.error('a request could not be passed to the upstream', error)
    const rejection =
      error instanceof HttpRejection
        ? error
        : new HttpRejection(500, RpcCode.internalError, 'internal error: see the log of the gateway')
    const message = body && parsedOf(body)
    const modern = isModern(message, request.headers)
    if (response.headersSent) response.destroy()
    else {
      const json = JSON.stringify(rejectionBody(rejection, message, modern))
      sendJson(response, rejection.status, rejection.headers, json)
    }
  }
}

/**
 * Reads the body of a request.
 *
 * @returns undefined if the body cannot be read, for example because the caller has disconnected
 * @throws HttpRejection 413 for a body that is too large
 */
async function bodyOf(request: IncomingMessage): Promise<Buffer | undefined> {
  try {
    return await readBody(request, MAX_BODY_BYTES)
  } catch (error) {
    if (error instanceof Refusal && error.code === 'body_too_large') throw bodyTooLarge(error.sentence)
    return undefined
  }
}

/** Answers a POST of which no message was forwarded. */
function ownAnswer({ request, response }: IdentifiedRequest, own: object[], batch: boolean): void {
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
  response.end(own.map(messageEvent).join(''))
}

/** Returns an array of messages if the body is a batch. Otherwise returns the message. */
function parsedOf({ messages, batch }: ReadableBody): unknown {
  return batch ? messages : messages[0]
}

function relayStream(
  { headers, body }: UpstreamAnswer,
  response: ServerResponse,
  engine: Pick<PolicyEngine, 'hides'>,
): void {
  response.writeHead(200, { ...passedHeaders(headers), ...STREAM })
  response.flushHeaders()
  relayEvents(body, response, {
    // After a reconnect, the stream can repeat the answer to an earlier request for the list of tools.
    message: message =>
      Array.isArray(message)
        ? message.map(one => withoutHidden(one, engine))
        : withoutHidden(message, engine),
    // If the upstream has cut its connection, the connection to the caller is also cut. The caller then opens
    // the stream again.
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
      fail(502, `the upstream did not accept this gateway's credential (HTTP ${status})`)
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
