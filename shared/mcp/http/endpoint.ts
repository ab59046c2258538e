import type { IncomingMessage, ServerResponse } from 'node:http'
import type { RequestId } from '@modelcontextprotocol/sdk/types.js'
import type { Clock } from '../../clock/clock.js'
import { Refusal } from '../../errors.js'
import type { HttpHandler } from '../../http/listener.js'
import { readBody } from '../../http/read-body.js'
import { SseStream } from '../../http/sse.js'
import { addStamp } from '../../http/stamp.js'
import type { IdSource } from '../../ids.js'
import type { JournalEntry } from '../../journal/entry.js'
import type { SharedSessions } from '../../records/shared-sessions.js'
import type { Log } from '../../util/log.js'
import { defined, isObject } from '../../util/objects.js'
import type { Call, Conversation, Reply } from '../conversation.js'
import type { MessageHost } from '../message-host.js'
import { expectsAnswer, isNotification, isRequest, RpcCode } from '../messages.js'
import { LEGACY_REVISIONS, type Revisions } from '../revisions.js'
import { PostReply } from './post-reply.js'
import {
  type Accepted,
  accepted,
  bodyTooLarge,
  HttpRejection,
  invalidRequest,
  isInitialize,
  methodNotAllowed,
  modernBatch,
  notAcceptable,
  parseError,
  rejectionBody,
  requireBatchAllowed,
  requireJson,
  requireLoneInitialize,
  requireVersion,
  sessionLookupFailed,
  sessionMissing,
  sessionNotFound,
  tooManySessions,
} from './rejection.js'
import { type HttpSession, Sessions } from './sessions.js'

/**
 * Maximum size of a body in bytes. The SDK's own transport has the same limit. The largest encrypted message
 * of Safebot, 192 KiB, is much smaller.
 */
export const MAX_BODY_BYTES = 4 * 1024 * 1024

const NO_QUERY = new URLSearchParams()

export interface EndpointOptions<Caller> {
  host: MessageHost<Caller>
  /** A clock of machine time, for the timeouts of connections and sessions. */
  machine: Clock
  /** Generates the session ids. */
  ids: IdSource
  log: Log
  /** Maximum size of a body in bytes. Default {@link MAX_BODY_BYTES}. */
  maxBodyBytes?: number
  /** The time in milliseconds after which an unused session expires. */
  sessionIdleMs?: number
  /** The sessions of other replicas. Default: there are no other replicas. */
  shared?: SharedSessions
  /**
   * The name of the instance. Each answer then has headers with this name and the `seq` of each journal entry
   * of the request. Default: answers have no such headers.
   */
  stamp?: string
}

/**
 * One HTTP request and its response. `raw` is the text of the body, or empty before the body has been read.
 */
interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  raw: string
  /** The parsed body. Undefined if the body has not been read or is not JSON. */
  body?: unknown
}

/** The checked body of a POST. */
interface Post {
  messages: unknown[]
  modern: boolean
  batch: boolean
  session: HttpSession | undefined
  accepts: Accepted
}

/**
 * Serves Streamable HTTP for one server. A client that initializes gets a session. A legacy request without a
 * session id is also answered, but it gets no session. A modern request never has a session.
 */
export class McpEndpoint<Caller> implements HttpHandler {
  readonly #options: EndpointOptions<Caller>
  readonly #host: MessageHost<Caller>
  readonly #revisions: Revisions
  readonly #sessions: Sessions

  constructor(options: EndpointOptions<Caller>) {
    this.#options = options
    this.#host = options.host
    this.#revisions = options.host.revisions ?? LEGACY_REVISIONS
    this.#sessions = new Sessions({
      machine: options.machine,
      ids: options.ids,
      ...defined({ idleMs: options.sessionIdleMs }),
      shared: options.shared,
      onAdopted: session => this.#host.join(session),
      onEnded: session => this.#end(session, 'the session was ended'),
      onExpired: session => this.#host.leave(session, 'the session was idle for too long'),
    })
  }

  /** The number of open sessions. */
  get sessions(): number {
    return this.#sessions.size
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    const exchange = { request, response, raw: '' }
    this.#answer(exchange).catch(error => this.#reject(exchange, error))
  }

  rejectForbidden(request: IncomingMessage, response: ServerResponse, why: string): void {
    this.#reject({ request, response, raw: '' }, new HttpRejection(403, RpcCode.transport, why))
  }

  /** Ends every session. */
  close(): void {
    for (const session of this.#sessions.close()) this.#end(session, 'the server is shutting down')
    this.#host.endSubscriptions?.()
  }

  async #answer(exchange: Exchange): Promise<void> {
    const { method } = exchange.request
    const hasSessions = this.#revisions.legacy.length > 0
    if (method === 'POST') {
      const post = await this.#read(exchange)
      if (post !== undefined) this.#dispatch(exchange, post)
    } else if (method === 'GET' && hasSessions) await this.#get(exchange)
    else if (method === 'DELETE' && hasSessions) await this.#delete(exchange)
    else throw methodNotAllowed(method, this.#revisions)
  }

  /**
   * Reads and checks the body and the headers.
   *
   * @returns undefined if the body cannot be read or the caller has disconnected.
   * @throws HttpRejection
   */
  async #read(exchange: Exchange): Promise<Post | undefined> {
    const { headers } = exchange.request
    // The body is read before the headers are checked, so that the journal has the body of a refused request.
    const raw = await this.#readRaw(exchange.request)
    if (raw === undefined) return undefined
    exchange.raw = raw
    exchange.body = parse(raw)
    const { body } = exchange
    const modern = this.#revisions.isModern(body, headers)
    const accepts = accepted(headers)
    requireJson(headers)
    if (!accepts.json && !accepts.sse) throw notAcceptable('application/json, text/event-stream')
    if (!modern) requireVersion(headers, this.#revisions)
    if (body === undefined) throw parseError()
    const batch = Array.isArray(body)
    const messages: unknown[] = batch ? body : [body]
    if (modern) {
      if (batch) throw modernBatch()
      if (isListen(body) && !accepts.sse) throw notAcceptable('text/event-stream')
      return { messages, modern, batch, session: undefined, accepts }
    }
    const session = await this.#session(exchange.request)
    if (exchange.response.closed) return undefined
    if (batch) requireBatchAllowed(messages, headers, session)
    requireLoneInitialize(messages, session)
    if (session === undefined && isInitialize(messages[0]) && this.#sessions.full) {
      throw tooManySessions(this.#sessions.size)
    }
    return { messages, modern, batch, session, accepts }
  }

  async #readRaw(request: IncomingMessage): Promise<string | undefined> {
    try {
      return (await readBody(request, this.#options.maxBodyBytes ?? MAX_BODY_BYTES)).toString('utf8')
    } catch (error) {
      if (error instanceof Refusal && error.code === 'body_too_large') throw bodyTooLarge(error.sentence)
      return undefined
    }
  }

  #dispatch({ request, response, raw }: Exchange, { messages, modern, batch, session, accepts }: Post): void {
    const opens = !modern && session === undefined && isInitialize(messages[0])
    const opening = opens ? this.#sessions.draft() : undefined
    const conversation = session ?? opening ?? sessionless()
    const caller = this.#identify(request, conversation)
    // A modern client must not send responses, so a response is counted as a request and refused.
    const expected = messages.filter(modern ? message => !isNotification(message) : expectsAnswer).length
    const { machine } = this.#options
    const posted = new PostReply({ response, machine, accepted: accepts, expected, batch, modern })
    const reply = opening === undefined ? posted : this.#openOnSuccess(opening, posted)
    const { stamp } = this.#options
    const opened = stamp === undefined ? undefined : (entry: JournalEntry) => addStamp(response, stamp, entry)
    for (const [index, message] of messages.entries()) {
      this.#host.receive({
        message,
        raw,
        batchIndex: batch ? index : undefined,
        caller,
        headers: request.headers,
        conversation,
        reply,
        ...defined({ opened }),
      })
    }
    if (expected === 0) {
      response.writeHead(202).end()
      return
    }
    response.on('close', () => {
      if (!response.writableFinished) this.#host.cancelAll(conversation, 'the caller hung up', reply)
    })
    if (opening === undefined && (!accepts.json || messages.some(wantsProgress))) posted.stream()
  }

  #identify(request: IncomingMessage, { session }: Conversation): Caller {
    try {
      return this.#host.identify({
        transport: 'http',
        session,
        headers: request.headers,
        remoteAddress: request.socket.remoteAddress,
        query: queryOf(request),
      })
    } catch (error) {
      throw error instanceof Refusal ? invalidRequest(error.sentence) : error
    }
  }

  /**
   * Returns a reply that opens the session if the answer to `initialize` is a result. If the answer is an
   * error, the session is discarded.
   */
  #openOnSuccess(session: HttpSession, posted: PostReply): Reply {
    const reply: Reply = {
      answer: (response, sending) => {
        if (!('result' in response)) {
          this.#host.leave(session, 'initialize failed')
          return posted.answer(response, sending)
        }
        this.#sessions.add(session)
        this.#host.join(session)
        posted.header('Mcp-Session-Id', session.session)
        const reporting = this.#sessions.report(session)
        if (reporting === undefined) return posted.answer(response, sending)
        // A client that has the answer can call another replica, so the other replicas are notified of the
        // session first.
        void reporting.then(() => posted.answer(response))
        return Buffer.byteLength(JSON.stringify(response))
      },
      notify: message => posted.notify(message),
      abandon: () => posted.abandon(),
      corrupted(how) {
        posted.corrupted(how)
        return reply
      },
    }
    return reply
  }

  async #get(exchange: Exchange): Promise<void> {
    const { request, response } = exchange
    const session = await this.#requireSession(request)
    if (!accepted(request.headers).sse) throw notAcceptable('text/event-stream')
    const entry = this.#note(exchange, session)
    if (response.closed) return this.#host.noteEnd(entry, 'aborted', 0)
    const stream = new SseStream(response, this.#options.machine, { 'Mcp-Session-Id': session.session })
    session.streams.add(stream)
    response.on('close', () => {
      session.streams.delete(stream)
      this.#host.noteEnd(entry, 'ok', 0)
    })
  }

  async #delete(exchange: Exchange): Promise<void> {
    const session = await this.#requireSession(exchange.request)
    const entry = this.#note(exchange, session)
    const ending = this.#sessions.end(session)
    this.#end(session, 'the session was ended')
    await ending
    this.#host.noteEnd(entry, 'ok', 0)
    exchange.response.writeHead(200).end()
  }

  #end(session: HttpSession, reason: string): void {
    this.#host.leave(session, reason)
    for (const stream of session.streams) stream.end()
  }

  /**
   * @throws HttpRejection 404 if the session id names no open session, 503 if the store of the replicas
   *   cannot be read
   */
  async #session({ headers }: IncomingMessage): Promise<HttpSession | undefined> {
    const id = headers['mcp-session-id']
    if (id === undefined) return undefined
    const session = this.#sessions.use(String(id)) ?? (await this.#adopted(String(id)))
    if (session === undefined) throw sessionNotFound(String(id))
    return session
  }

  async #adopted(id: string): Promise<HttpSession | undefined> {
    try {
      return await this.#sessions.adopt(id)
    } catch (error) {
      throw error instanceof Refusal ? sessionLookupFailed(error.sentence) : error
    }
  }

  async #requireSession(request: IncomingMessage): Promise<HttpSession> {
    const session = await this.#session(request)
    if (session === undefined) throw sessionMissing(request.method)
    requireVersion(request.headers, this.#revisions)
    return session
  }

  #reject(exchange: Exchange, error: unknown): void {
    const { request, response, body: message } = exchange
    const entry = this.#note(exchange)
    const rejection = error instanceof HttpRejection ? error : this.#internalError(error)
    const modern = this.#revisions.isModern(message, request.headers)
    const body = JSON.stringify(rejectionBody(rejection, message, modern))
    this.#host.noteEnd(entry, 'protocol_error', Buffer.byteLength(body))
    response.writeHead(rejection.status, { 'Content-Type': 'application/json', ...rejection.headers })
    response.end(body)
  }

  #internalError(error: unknown): HttpRejection {
    this.#options.log.error('a request could not be answered', error)
    return new HttpRejection(500, RpcCode.internalError, 'internal error: see the log of the server')
  }

  #note({ request, response, raw, body }: Exchange, session?: HttpSession): JournalEntry {
    const { stamp } = this.#options
    const entry = this.#host.note({
      transport: 'http',
      session: session?.session ?? null,
      caller: '',
      method: `${request.method} /mcp`,
      headers: request.headers,
      raw,
      ...defined({ message: body }),
    })
    if (stamp !== undefined) addStamp(response, stamp, entry)
    return entry
  }
}

/** Parses a body. Returns undefined if the body is not JSON. */
function parse(raw: string): unknown {
  try {
    return JSON.parse(raw)
  } catch {
    return undefined
  }
}

function isListen(message: unknown): boolean {
  return isRequest(message) && message.method === 'subscriptions/listen'
}

function wantsProgress(message: unknown): boolean {
  return isRequest(message) && isObject(message.params?._meta) && 'progressToken' in message.params._meta
}

function sessionless(): Conversation {
  return {
    transport: 'http',
    session: null,
    inflight: new Map<RequestId, Call<unknown>>(),
    notify: () => undefined,
  }
}

function queryOf({ url }: IncomingMessage): URLSearchParams {
  const mark = url?.indexOf('?') ?? -1
  return url === undefined || mark < 0 ? NO_QUERY : new URLSearchParams(url.slice(mark))
}
