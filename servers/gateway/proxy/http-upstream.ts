import type { OutgoingHttpHeaders } from 'node:http'
import { connect } from 'node:net'
import { type Dispatcher, Pool } from 'undici'
import { Refusal } from '../../../shared/errors.js'
import { AnswerBody } from './response-body.js'

export interface UpstreamRequest {
  method: 'GET' | 'POST' | 'DELETE'
  /** The query with its question mark. Empty if there is no query. */
  query: string
  headers: OutgoingHttpHeaders
  body?: string
}

/** The headers of an answer by name, in lower case. If a header is repeated, its value is a list. */
export type AnswerHeaders = Record<string, string | string[] | undefined>

/** An answer of the upstream. The receiver must call `read` or `discard` of the body immediately. */
export interface UpstreamAnswer {
  status: number
  headers: AnswerHeaders
  body: AnswerBody
}

export interface AnswerSink {
  answer(answer: UpstreamAnswer): void
  /** Called instead of `answer` if no answer arrived, or if its status or headers could not be read. */
  fail(why: string): void
}

/**
 * A request that was sent to the upstream. `abort` closes its connection. The upstream thereby learns that
 * the caller has disconnected.
 */
export interface Sent {
  abort(): void
}

/** The header values that undici can send. */
const SENDABLE_VALUE = /^[\t\x20-\x7e]*$/

/**
 * Time in milliseconds after which an idle connection is closed, if the upstream does not announce its own
 * time. It is shorter than the five seconds after which servers of Node close an idle connection.
 */
const IDLE_MS = 4000

/**
 * Time in milliseconds by which an idle connection is closed earlier than the upstream announces. Without
 * this margin, a request could arrive just after the upstream has closed the connection.
 */
const IDLE_MARGIN_MS = 1000

const NOT_HTTP = 'gave an answer that is not HTTP'

const UNREACHABLE_CODES = ['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'ENETUNREACH', 'EAI_AGAIN']

/**
 * The names of undici's errors for bytes that are not an HTTP/1.1 answer. `AssertionError` is one of them,
 * because an assertion in undici fails for a status such as 099.
 */
const NOT_HTTP_ERRORS = [
  'HTTPParserError',
  'HeadersOverflowError',
  'ResponseContentLengthMismatchError',
  'AssertionError',
]

/** A Streamable HTTP server. Connections to the server are reused. */
export class HttpUpstream {
  readonly #url: URL
  readonly #pool: Pool

  constructor(url: URL) {
    this.#url = url
    this.#pool = new Pool(url.origin, {
      keepAliveTimeout: IDLE_MS,
      keepAliveTimeoutThreshold: IDLE_MARGIN_MS,
      // There are no timeouts. A call or a stream stays open until the caller disconnects.
      headersTimeout: 0,
      bodyTimeout: 0,
      connectTimeout: 0,
    })
  }

  /** The URL for error messages. It has no query, because a query can contain a secret. */
  get name(): string {
    return `${this.#url.origin}${this.#url.pathname}`
  }

  get query(): URLSearchParams {
    return this.#url.searchParams
  }

  /**
   * Checks that the upstream accepts a connection. Sends no request, because it would appear in the records
   * of the upstream.
   *
   * @throws Refusal `upstream_unreachable`
   */
  async reach(): Promise<void> {
    const { hostname, protocol, port } = this.#url
    const defaultPort = protocol === 'https:' ? 443 : 80
    const socket = connect({
      host: hostname.replace(/^\[|\]$/g, ''),
      port: Number(port) || defaultPort,
    })
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', (error: NodeJS.ErrnoException) => {
        const message = `the upstream ${this.name} cannot be reached (${error.code ?? error.message})`
        reject(new Refusal('upstream_unreachable', message, 'start the upstream first, or correct the URL'))
      })
    }).finally(() => socket.destroy())
  }

  send({ method, query, headers, body }: UpstreamRequest, sink: AnswerSink): Sent {
    const exchange = new SentRequest({
      answer: answer => sink.answer(answer),
      fail: why => sink.fail(`the upstream ${this.name} ${why}`),
    })
    const path = `${this.#url.pathname}${query}`
    this.#pool.dispatch({ method, path, headers: sendableHeaders(headers), body: body ?? null }, exchange)
    return exchange
  }

  /** Closes every connection. */
  close(): void {
    void this.#pool.destroy()
  }
}

function sendableHeaders(headers: OutgoingHttpHeaders): Record<string, string> {
  const sent: Record<string, string> = {}
  for (const name in headers) {
    const value = String(headers[name])
    if (SENDABLE_VALUE.test(value)) sent[name] = value
  }
  return sent
}

/** Receives the answer to one request. undici calls the methods whose names begin with `on`. */
class SentRequest implements Dispatcher.DispatchHandler, Sent {
  readonly #sink: AnswerSink
  #controller: Dispatcher.DispatchController | undefined
  #body: AnswerBody | undefined
  /** True when the request has failed or the caller has disconnected. */
  #over = false

  constructor(sink: AnswerSink) {
    this.#sink = sink
  }

  abort(): void {
    this.#over = true
    this.#controller?.abort(new Error('the caller has disconnected'))
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#over) this.abort()
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: AnswerHeaders): void {
    if (status < 200) return
    if (!hasClearEnd(headers)) {
      this.#fail(NOT_HTTP)
      controller.abort(new Error(NOT_HTTP))
      return
    }
    this.#body = new AnswerBody(controller, String(headers['content-encoding'] ?? ''))
    this.#sink.answer({ status, headers, body: this.#body })
  }

  onResponseData(_controller: Dispatcher.DispatchController, piece: Buffer): void {
    this.#body?.push(piece)
  }

  onResponseEnd(): void {
    this.#body?.finish()
  }

  onResponseError(
    _controller: Dispatcher.DispatchController | undefined,
    error: NodeJS.ErrnoException,
  ): void {
    if (this.#body === undefined) this.#fail(failureOf(error))
    else this.#body.fail()
  }

  #fail(why: string): void {
    if (this.#over) return
    this.#over = true
    this.#sink.fail(why)
  }
}

/**
 * Returns whether the headers define where the body ends. With a coding other than `chunked`, undici reads
 * until the connection ends, so a cut connection would look like a complete body.
 */
function hasClearEnd({ 'transfer-encoding': coding }: AnswerHeaders): boolean {
  return coding === undefined || String(coding).toLowerCase() === 'chunked'
}

function failureOf({ code = '', name, message }: NodeJS.ErrnoException): string {
  if (UNREACHABLE_CODES.includes(code)) return `cannot be reached (${code})`
  if (NOT_HTTP_ERRORS.includes(name) || /^bad (response|upgrade)$/.test(message)) return NOT_HTTP
  return `broke off without an answer (${code === 'UND_ERR_SOCKET' ? message : code || message})`
}
