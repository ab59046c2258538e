import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'
import type { Clock } from '../../clock/clock.js'
import { type Corruption, halves, notJson } from '../../faults/corruption.js'
import { SseStream, sseFrame } from '../../http/sse.js'
import type { Reply, ServerMessage } from '../conversation.js'
import { type AnonymousError, type JsonRpcResponse, RpcCode } from '../messages.js'
import type { Accepted } from './rejection.js'

/** The HTTP status of an error in revision 2026-07-28, by the JSON-RPC code of the error. */
const MODERN_STATUS = new Map<number, number>([
  [RpcCode.methodNotFound, 404],
  [RpcCode.headerMismatch, 400],
  [RpcCode.missingCapability, 400],
  [RpcCode.unsupportedVersion, 400],
])

/**
 * The corruptions that set the HTTP status. An answer with one of these corruptions must not be a stream,
 * because a stream always has the status 200.
 */
const SETS_STATUS = new Set<Corruption['kind'] | undefined>(['status', 'raw'])

export interface PostReplyOptions {
  response: ServerResponse
  machine: Clock
  accepted: Accepted
  /** The number of requests in the body that need an answer. */
  expected: number
  /** Whether the body was a batch. The JSON answer to a batch is an array. */
  batch: boolean
  /** Whether the request is of the modern era, in which some errors have their own HTTP status. */
  modern: boolean
}

/**
 * The answer to one POST.
 *
 * The answer is a stream if a message precedes the answer, the caller accepts no JSON, or `stream` was
 * called. All other answers are JSON, because some gateways read events line by line and lose long answers.
 */
export class PostReply implements Reply {
  readonly #options: PostReplyOptions
  readonly #headers: Record<string, string> = {}
  readonly #answers: string[] = []
  #stream: SseStream | undefined
  #waiting: number
  #status = 200
  #corruption: Corruption | undefined

  constructor(options: PostReplyOptions) {
    this.#options = options
    this.#waiting = options.expected
  }

  /** Sets a header. Call it before anything is sent. */
  header(name: string, value: string): void {
    this.#headers[name] = value
  }

  /**
   * Begins a stream for the answers. Does nothing if the caller accepts no stream, or if the headers have
   * been sent.
   */
  stream(): void {
    const { response, machine, accepted } = this.#options
    // These corruptions need their own status and headers, which a stream would already have sent.
    if (!accepted.sse || response.headersSent || SETS_STATUS.has(this.#corruption?.kind)) return
    this.#stream ??= new SseStream(response, machine, this.#headers, this.#corruption?.kind === 'gzip')
  }

  answer(response: JsonRpcResponse | AnonymousError, sending?: (bytes: number) => void): number {
    if (!this.#options.accepted.json) this.stream()
    const json = JSON.stringify(response)
    const bytes = Buffer.byteLength(json)
    sending?.(bytes)
    if (this.#stream !== undefined) {
      if (this.#waiting === 1 && this.#corruption !== undefined) {
        this.#waiting = 0
        streamCorrupted(this.#stream, json, this.#corruption)
        return bytes
      }
      this.#stream.sendJson(json)
    } else {
      this.#answers.push(json)
      if ('error' in response) this.#status = this.#statusOf(response.error.code)
    }
    this.#settle()
    return bytes
  }

  notify(message: ServerMessage): void {
    this.stream()
    this.#stream?.send(message)
  }

  malformed(): void {
    this.#status = 400
  }

  abandon(): void {
    this.#settle()
  }

  /**
   * Returns this reply itself after setting its corruption. A copy would not work, because all answers to a
   * batch share one body.
   */
  corrupted(how: Corruption): Reply {
    this.#corruption = how
    return this
  }

  /**
   * Returns the HTTP status of an error. A legacy error keeps the current status, except that an invalid
   * request gets 400.
   */
  #statusOf(code: number): number {
    if (code === RpcCode.invalidRequest) return 400
    if (!this.#options.modern) return this.#status
    return MODERN_STATUS.get(code) ?? this.#status
  }

  #settle(): void {
    this.#waiting--
    if (this.#waiting > 0) return
    if (this.#stream !== undefined) this.#stream.end()
    else this.#endAsJson()
  }

  #endAsJson(): void {
    const { response, batch } = this.#options
    if (this.#answers.length === 0) {
      // All requests were cancelled. MCP forbids an answer to a cancelled request, but HTTP needs a response.
      response.writeHead(202, this.#headers).end()
      return
    }
    const body = batch ? `[${this.#answers.join(',')}]` : (this.#answers[0] ?? '')
    const status = batch ? 200 : this.#status
    if (this.#corruption !== undefined) {
      const headers = { 'Content-Type': 'application/json', ...this.#headers }
      sendCorrupted(response, { status, headers, body }, this.#corruption)
      return
    }
    response.writeHead(status, {
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(body),
      ...this.#headers,
    })
    // The body is sent as a string, because Node sends a string together with the headers and a buffer
    // separately.
    response.end(body)
  }
}

/** A complete JSON answer. The headers do not include the length. */
interface JsonAnswer {
  status: number
  headers: OutgoingHttpHeaders
  body: string
}

/** Sends a corrupted JSON answer. */
function sendCorrupted(
  response: ServerResponse,
  { status, headers, body }: JsonAnswer,
  how: Corruption,
): void {
  const send = (code: number, sent: string | Buffer, more: OutgoingHttpHeaders = {}) => {
    response.writeHead(code, { ...headers, 'Content-Length': Buffer.byteLength(sent), ...more }).end(sent)
  }
  switch (how.kind) {
    case 'drop':
      response.destroy()
      return
    case 'status':
      send(how.status, how.body, { 'Content-Type': how.type })
      return
    case 'raw':
      sendRaw(response, how, headers)
      return
    case 'json':
      send(status, notJson(body))
      return
    case 'sse':
      // A JSON answer has no event frame that could be corrupted. Instead, the body is an event although the
      // content type is JSON.
      send(status, sseFrame(body))
      return
    case 'gzip':
      send(status, gzipSync(body), { 'Content-Encoding': 'gzip' })
      return
    case 'truncated':
      response.writeHead(status, { ...headers, 'Content-Length': Buffer.byteLength(body) })
      response.write(halves(body)[0], () => response.destroy())
  }
}

/**
 * Sends a raw answer. The headers of the fault replace the usual headers, regardless of upper and lower case.
 */
function sendRaw(
  response: ServerResponse,
  { status, headers: own, body }: Extract<Corruption, { kind: 'raw' }>,
  usual: OutgoingHttpHeaders,
): void {
  const named = new Set(Object.keys(own).map(name => name.toLowerCase()))
  if (named.has('transfer-encoding')) named.add('content-length')
  const rest = Object.entries({ ...usual, 'Content-Length': Buffer.byteLength(body) }).filter(
    ([name]) => !named.has(name.toLowerCase()),
  )
  response.writeHead(status, { ...Object.fromEntries(rest), ...own }).end(body)
}

/**
 * Corrupts the last answer on a stream and ends the stream. The `gzip` corruption was applied when the stream
 * began.
 */
function streamCorrupted(stream: SseStream, json: string, how: Corruption): void {
  const [first, second] = halves(json)
  if (how.kind === 'drop') stream.cut('')
  else if (how.kind === 'truncated') stream.cut(`event: message\ndata: ${first}`)
  else if (how.kind === 'json') stream.endWith(sseFrame(notJson(json)))
  // The second line has no field name, so an event parser skips that line and gets half a message.
  else if (how.kind === 'sse') stream.endWith(sseFrame(`${first}\n${second}`))
  else stream.endWith(sseFrame(json))
}
