import type { Readable, Writable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import type { RequestId } from '@modelcontextprotocol/sdk/types.js'
import { type Corruption, halves, notJson } from '../faults/corruption.js'
import type { Call, Conversation, Reply, ServerMessage } from './conversation.js'
import { LineReader } from './line-reader.js'
import type { MessageHost } from './message-host.js'
import {
  type AnonymousError,
  anonymousError,
  batchRefusal,
  expectsAnswer,
  type JsonRpcResponse,
  RpcCode,
} from './messages.js'
import { LEGACY_REVISIONS } from './revisions.js'

/**
 * Maximum size in bytes of the answers that the client has not read yet. Above this size, no more requests
 * are read until the client has read all answers.
 */
const MAX_UNREAD_BYTES = 16 * 1024 * 1024

export interface StdioOptions<Caller> {
  host: MessageHost<Caller>
  caller: Caller
  input: Readable
  output: Writable
  /**
   * Called when the client closes the pipe, or when the pipe fails. In the specification, closing the pipe is
   * how a client stops a stdio server.
   */
  onEnd(): void
}

/** A conversation over a pipe. Each line in either direction is one message or one batch. */
export class StdioConversation<Caller> implements Conversation {
  readonly transport = 'stdio'
  readonly session = null
  version?: string
  modern?: boolean
  readonly inflight = new Map<RequestId, Call<unknown>>()
  readonly #options: StdioOptions<Caller>
  readonly #reply: Reply
  #pending = ''
  /** True after the pipe was cut. Nothing is read or written any more. */
  #cut = false

  constructor(options: StdioOptions<Caller>) {
    this.#options = options
    this.#reply = {
      answer: response => this.#write(response),
      notify: message => this.#write(message),
      abandon: () => undefined,
      corrupted: how => ({
        ...this.#reply,
        answer: (response, sending) => this.#writeCorrupted(response, how, sending),
      }),
    }
    options.host.join(this)
    const lines = new LineReader(
      line => this.#line(line),
      why => this.#reject(RpcCode.parseError, why, ''),
    )
    options.input.on('data', (chunk: Buffer) => {
      if (!this.#cut) lines.push(chunk)
    })
    options.input.on('end', () => options.onEnd())
    // A write to a client that has exited causes this error. The error also means that the pipe is closed.
    options.output.on('error', () => options.onEnd())
  }

  notify(message: ServerMessage): void {
    this.#write(message)
  }

  cut(): void {
    this.#flush()
    this.#cut = true
    this.#options.output.end()
  }

  /** Resolves when all answers so far have been handed to the pipe. */
  flush(): Promise<void> {
    this.#flush()
    return new Promise(resolve => this.#options.output.write('', () => resolve()))
  }

  #line(raw: string): void {
    let body: unknown
    try {
      body = JSON.parse(raw)
    } catch {
      this.#reject(RpcCode.parseError, 'Parse error: the line is not JSON', raw)
      return
    }
    if (Array.isArray(body)) this.#batch(body, raw)
    else this.#receive(body, raw, this.#reply)
  }

  #receive(message: unknown, raw: string, reply: Reply, batchIndex?: number): void {
    const { host, caller } = this.#options
    host.receive({ message, raw, batchIndex, caller, headers: {}, conversation: this, reply })
  }

  /** Handles a batch. The answers are written together as one array when the last answer is ready. */
  #batch(messages: unknown[], raw: string): void {
    const refusal = this.#isModern(messages)
      ? 'the line is a list: this protocol revision has one message in each line'
      : batchRefusal(messages.length, this.version)
    if (refusal !== undefined) {
      this.#reject(RpcCode.invalidRequest, refusal, raw, messages)
      return
    }
    const answers: (JsonRpcResponse | AnonymousError)[] = []
    let waiting = messages.filter(expectsAnswer).length
    let corruption: Corruption | undefined
    const settle = () => {
      waiting--
      if (waiting > 0 || answers.length === 0) return
      if (corruption === undefined) this.#write(answers)
      else this.#writeCorrupted(answers, corruption)
    }
    const reply: Reply = {
      answer: (response, sending) => {
        const bytes = Buffer.byteLength(JSON.stringify(response))
        sending?.(bytes)
        answers.push(response)
        settle()
        return bytes
      },
      notify: message => this.#write(message),
      abandon: settle,
      corrupted(how) {
        corruption = how
        return reply
      },
    }
    for (const [index, message] of messages.entries()) this.#receive(message, raw, reply, index)
  }

  /** Answers a line that cannot be handled as a message or a batch. */
  #reject(code: number, why: string, raw: string, body?: unknown): void {
    const { host } = this.#options
    const entry = host.note({ transport: 'stdio', session: null, caller: '', method: null, headers: {}, raw })
    const { id, ...withoutId } = anonymousError(code, why)
    host.noteEnd(
      entry,
      'protocol_error',
      this.#write(this.#isModern(body) ? withoutId : { ...withoutId, id }),
    )
  }

  #isModern(body: unknown): boolean {
    return (this.#options.host.revisions ?? LEGACY_REVISIONS).isModern(body, {})
  }

  /**
   * Queues a message. All messages of one turn of the event loop are written together after that turn. The
   * journal entries of the messages are closed by then.
   */
  #write(message: object): number {
    const json = JSON.stringify(message)
    this.#writeText(`${json}\n`)
    return Buffer.byteLength(json)
  }

  #writeText(text: string): void {
    if (this.#cut) return
    if (this.#pending === '') setImmediate(() => this.#flush())
    this.#pending += text
  }

  /** Writes a corrupted answer. The corruption is as similar to the corruption over HTTP as a pipe allows. */
  #writeCorrupted(message: object, how: Corruption, sending?: (bytes: number) => void): number {
    const { kind } = how
    const json = JSON.stringify(message)
    sending?.(Buffer.byteLength(json))
    const [first, second] = halves(json)
    // The host has already replaced the answer by an error that states the HTTP status.
    if (kind === 'status') return this.#write(message)
    if (kind === 'raw') return this.#writeRaw(message, how)
    if (kind === 'json') this.#writeText(`${notJson(json)}\n`)
    // On a pipe, a line is the frame of a message.
    else if (kind === 'sse') this.#writeText(`${first}\n${second}\n`)
    else if (kind === 'gzip') this.#writeCompressed(json)
    else this.#cutOff(kind === 'truncated' ? first : '')
    return Buffer.byteLength(json)
  }

  /**
   * Writes a raw body. A pipe has no status and no headers. If the fault sets them, the host's error message
   * is written instead.
   */
  #writeRaw(message: object, { settled, body }: Extract<Corruption, { kind: 'raw' }>): number {
    if (settled) return this.#write(message)
    this.#writeText(`${body}\n`)
    return Buffer.byteLength(body)
  }

  #writeCompressed(json: string): void {
    this.#flush()
    if (!this.#cut) this.#options.output.write(Buffer.concat([gzipSync(json), Buffer.from('\n')]))
  }

  /**
   * Writes a last text, closes the pipe and ends the conversation. A pipe is the only connection of its
   * conversation.
   */
  #cutOff(last: string): void {
    this.#writeText(last)
    this.cut()
    this.#options.host.leave(this, 'the connection was cut')
    this.#options.onEnd()
  }

  #flush(): void {
    if (this.#pending === '') return
    const { input, output } = this.#options
    const pending = this.#pending
    this.#pending = ''
    output.write(pending)
    if (output.writableLength <= MAX_UNREAD_BYTES || input.isPaused()) return
    input.pause()
    output.once('drain', () => input.resume())
  }
}
