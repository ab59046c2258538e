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

/** Headers of an answer. Names are in lower case. A repeated header has a list of values. */
export type AnswerHeaders = Record<string, string | string[] | undefined>

/** An answer of the upstream. The receiver must read or discard the body immediately. */
export interface UpstreamAnswer {
  status: number
  headers: AnswerHeaders
  body: AnswerBody
}

export interface AnswerSink {
  answer(answer: UpstreamAnswer): void
  /** Called if no answer arrived, or if the beginning of the answer could not be read. */
  fail(why: string): void
}

/**
 * A request to the upstream. `abort` closes its connection, so that the upstream notices that the caller has
 * disconnected.
 */
export interface Sent {
  abort(): void
}

/** Header values that can be sent. */
const PLAIN = /^[\t\x20-\x7e]*$/

/**
 * Time in milliseconds before an idle connection is closed, if the upstream states no time. Node's servers
 * close such a connection after five seconds.
 */
const IDLE_MS = 4000

/**
 * Time in milliseconds by which an idle connection is closed earlier than the upstream states. The margin
 * prevents requests that arrive too late.
 */
const IDLE_MARGIN_MS = 1000

const NOT_HTTP = 'gave an answer that is not HTTP'

const UNREACHABLE = ['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'ENETUNREACH', 'EAI_AGAIN']

/**
 * Errors of undici for bytes that are no HTTP/1.1 answer. An assertion in undici fails on a status such as
 * 099.
 */
const UNREADABLE = [
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
      // There are no timeouts, because a call or a stream may wait for as long as its caller does.
      headersTimeout: 0,
      bodyTimeout: 0,
      connectTimeout: 0,
    })
  }

  /** The URL without its query, for error messages. The query may contain a secret. */
  get name(): string {
    return `${this.#url.origin}${this.#url.pathname}`
  }

  get query(): URLSearchParams {
    return this.#url.searchParams
  }

  /**
   * Checks that the upstream accepts a connection. Sends nothing, because the upstream must not record a
   * request of the gateway itself.
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
        reject(new Refusal('upstream_unreachable', message, 'start it first, or mend the URL'))
      })
    }).finally(() => socket.destroy())
  }

  send({ method, query, headers, body }: UpstreamRequest, sink: AnswerSink): Sent {
    const exchange = new Exchange({
      answer: answer => sink.answer(answer),
      fail: why => sink.fail(`the upstream ${this.name} ${why}`),
    })
    const path = `${this.#url.pathname}${query}`
    this.#pool.dispatch({ method, path, headers: sendable(headers), body: body ?? null }, exchange)
    return exchange
  }

  /** Closes every connection. */
  close(): void {
    void this.#pool.destroy()
  }
}

function sendable(headers: OutgoingHttpHeaders): Record<string, string> {
  const sent: Record<string, string> = {}
  for (const name in headers) {
    const value = String(headers[name])
    if (PLAIN.test(value)) sent[name] = value
  }
  return sent
}

/** One request and its answer. undici calls the methods that begin with `on`. */
class Exchange implements Dispatcher.DispatchHandler, Sent {
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
    this.#controller?.abort(new Error('the caller has gone'))
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
 * Returns whether the end of the body is certain. With a coding other than `chunked`, undici reads until the
 * connection ends.
 */
function hasClearEnd({ 'transfer-encoding': coding }: AnswerHeaders): boolean {
  return coding === undefined || String(coding).toLowerCase() === 'chunked'
}

function failureOf({ code = '', name, message }: NodeJS.ErrnoException): string {
  if (UNREACHABLE.includes(code)) return `cannot be reached (${code})`
  if (UNREADABLE.includes(name) || /^bad (response|upgrade)$/.test(message)) return NOT_HTTP
  return `broke off without an answer (${code === 'UND_ERR_SOCKET' ? message : code || message})`
}
