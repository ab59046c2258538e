import type { OutgoingHttpHeaders } from 'node:http'
import { connect } from 'node:net'
import { type Dispatcher, Pool } from 'undici'
import { Refusal } from '../../../shared/errors.js'
import { AnswerBody } from './response-body.js'

export interface UpstreamRequest {
  method: 'GET' | 'POST' | 'DELETE'
  /** With its question mark; empty for none. */
  query: string
  headers: OutgoingHttpHeaders
  body?: string
}

/** Headers of an answer by their names in lower case. A header that came twice is a list. */
export type AnswerHeaders = Record<string, string | string[] | undefined>

/** An answer of the upstream. Its body is to be read, or discarded, at once. */
export interface UpstreamAnswer {
  status: number
  headers: AnswerHeaders
  body: AnswerBody
}

export interface AnswerSink {
  answer(answer: UpstreamAnswer): void
  /** No answer came, or its beginning could not be read. */
  fail(why: string): void
}

/** A request under way. `abort` drops its connection, so that the upstream sees that the caller has gone. */
export interface Sent {
  abort(): void
}

/** Header values that can be sent. */
const PLAIN = /^[\t\x20-\x7e]*$/

/** How long an idle connection is kept if the upstream does not say: Node's servers close it after five seconds. */
const IDLE_MS = 4000

/** How much earlier an idle connection is closed than the upstream says, so that a request still arrives in time. */
const IDLE_MARGIN_MS = 1000

const NOT_HTTP = 'gave an answer that is not HTTP'

const UNREACHABLE = ['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'ENETUNREACH', 'EAI_AGAIN']

/** Errors of undici about bytes that are no HTTP/1.1 answer. An assertion of undici fails on a status such as 099. */
const UNREADABLE = [
  'HTTPParserError',
  'HeadersOverflowError',
  'ResponseContentLengthMismatchError',
  'AssertionError',
]

/** A Streamable HTTP server, reached over connections that are kept. */
export class HttpUpstream {
  readonly #url: URL
  readonly #pool: Pool

  constructor(url: URL) {
    this.#url = url
    this.#pool = new Pool(url.origin, {
      keepAliveTimeout: IDLE_MS,
      keepAliveTimeoutThreshold: IDLE_MARGIN_MS,
      // A call may park for as long as its caller waits, and so may a stream.
      headersTimeout: 0,
      bodyTimeout: 0,
      connectTimeout: 0,
    })
  }

  /** The URL for error messages: without its query, which may contain a secret. */
  get name(): string {
    return `${this.#url.origin}${this.#url.pathname}`
  }

  get query(): URLSearchParams {
    return this.#url.searchParams
  }

  /**
   * Connects and sends nothing: a request of the gateway's own must not be in the upstream's record.
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

  /** Drops every connection. */
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

/** One request and its answer, as undici reports them. */
class Exchange implements Dispatcher.DispatchHandler, Sent {
  readonly #sink: AnswerSink
  #controller: Dispatcher.DispatchController | undefined
  #body: AnswerBody | undefined
  /** The request has failed, or its caller has gone. */
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

/** Returns whether the end of the body is certain. undici reads a coding other than `chunked` to the end of the connection. */
function hasClearEnd({ 'transfer-encoding': coding }: AnswerHeaders): boolean {
  return coding === undefined || String(coding).toLowerCase() === 'chunked'
}

function failureOf({ code = '', name, message }: NodeJS.ErrnoException): string {
  if (UNREACHABLE.includes(code)) return `cannot be reached (${code})`
  if (UNREADABLE.includes(name) || /^bad (response|upgrade)$/.test(message)) return NOT_HTTP
  return `broke off without an answer (${code === 'UND_ERR_SOCKET' ? message : code || message})`
}
