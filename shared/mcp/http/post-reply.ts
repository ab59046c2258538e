import type { ServerResponse } from 'node:http'
import type { Clock } from '../../clock/clock.js'
import type { Garbling } from '../../faults/garbling.js'
import { SseStream } from '../../http/sse.js'
import type { Reply, ServerMessage } from '../conversation.js'
import { type AnonymousError, type JsonRpcResponse, RpcCode } from '../messages.js'
import { sendGarbled, streamGarbled } from './garbled-post.js'
import type { Accepted } from './negotiate.js'

export interface PostReplyOptions {
  response: ServerResponse
  machine: Clock
  accepted: Accepted
  /** How many requests of the body want an answer. */
  expected: number
  /** Whether the body was a batch: a JSON answer is then an array. */
  batch: boolean
}

/**
 * The answer to one POST.
 *
 * JSON unless something has to precede the answer or the caller takes only a stream: a gateway that reads events
 * line by line loses long ones, and a plain body has no such limit.
 */
export class PostReply implements Reply {
  readonly #options: PostReplyOptions
  readonly #headers: Record<string, string> = {}
  readonly #answers: string[] = []
  #stream: SseStream | undefined
  #waiting: number
  /** Whether the body was no request at all: HTTP calls that 400. */
  #malformed = false
  #garbling: Garbling | undefined

  constructor(options: PostReplyOptions) {
    this.#options = options
    this.#waiting = options.expected
  }

  /** Sets a header; to be called before anything is sent. */
  header(name: string, value: string): void {
    this.#headers[name] = value
  }

  /** Answers as a stream from here on, if the caller takes one and nothing has been sent. */
  stream(): void {
    const { response, machine, accepted } = this.#options
    // A stream would have its status settled.
    if (!accepted.sse || response.headersSent || this.#garbling?.kind === 'status') return
    this.#stream ??= new SseStream(response, machine, this.#headers, this.#garbling?.kind === 'gzip')
  }

  answer(response: JsonRpcResponse | AnonymousError, sending?: (bytes: number) => void): number {
    if (!this.#options.accepted.json) this.stream()
    const json = JSON.stringify(response)
    const bytes = Buffer.byteLength(json)
    sending?.(bytes)
    if (this.#stream !== undefined) {
      if (this.#waiting === 1 && this.#garbling !== undefined) {
        this.#waiting = 0
        streamGarbled(this.#stream, json, this.#garbling)
        return bytes
      }
      this.#stream.sendJson(json)
    } else {
      this.#answers.push(json)
      if ('error' in response && response.error.code === RpcCode.invalidRequest) this.#malformed = true
    }
    this.#settle()
    return bytes
  }

  notify(message: ServerMessage): void {
    this.stream()
    this.#stream?.send(message)
  }

  abandon(): void {
    this.#settle()
  }

  /** There is one body for all of a batch, so this reply is itself the spoilt one. */
  garbled(how: Garbling): Reply {
    this.#garbling = how
    return this
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
      // All were cancelled: the specification forbids an answer to those, HTTP wants one.
      response.writeHead(202, this.#headers).end()
      return
    }
    const body = batch ? `[${this.#answers.join(',')}]` : (this.#answers[0] ?? '')
    const status = this.#malformed && !batch ? 400 : 200
    if (this.#garbling !== undefined) {
      const headers = { 'Content-Type': 'application/json', ...this.#headers }
      sendGarbled(response, { status, headers, body }, this.#garbling)
      return
    }
    response.writeHead(status, {
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(body),
      ...this.#headers,
    })
    // As text: Node sends that in one piece with the head, bytes in a second one.
    response.end(body)
  }
}
