import type { Readable, Writable } from 'node:stream'
import type { RequestId } from '@modelcontextprotocol/sdk/types.js'
import type { Call, Conversation, Reply, ServerMessage } from './conversation.js'
import type { McpHost } from './host.js'
import { LineReader } from './line-reader.js'
import {
  type AnonymousError,
  anonymousError,
  expectsAnswer,
  type JsonRpcResponse,
  RpcCode,
} from './messages.js'
import { batchRefusal } from './revisions.js'

export interface StdioOptions<Caller> {
  host: McpHost<Caller>
  caller: Caller
  input: Readable
  output: Writable
  /** The client has closed its end: the specification's way of saying that the server should stop. */
  onEnd(): void
}

/** MCP over a pipe: a line a message, in and out. */
export class StdioConversation<Caller> implements Conversation {
  readonly transport = 'stdio'
  readonly session = null
  version?: string
  readonly inflight = new Map<RequestId, Call<unknown>>()
  readonly #options: StdioOptions<Caller>
  readonly #reply: Reply
  #pending = ''

  constructor(options: StdioOptions<Caller>) {
    this.#options = options
    this.#reply = {
      answer: response => this.#write(response),
      notify: message => this.#write(message),
      abandon: () => undefined,
    }
    options.host.join(this)
    const lines = new LineReader(
      line => this.#line(line),
      why => this.#reject(RpcCode.parseError, why, ''),
    )
    options.input.on('data', (chunk: Buffer) => lines.push(chunk))
    options.input.on('end', () => options.onEnd())
    // A client that is gone closes both ends; what it says of the second is of no more interest.
    options.output.on('error', () => options.onEnd())
  }

  notify(message: ServerMessage): void {
    this.#write(message)
  }

  /** Resolves when all that was answered has been handed to the pipe. */
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

  #receive(message: unknown, raw: string, reply: Reply): void {
    const { host, caller } = this.#options
    host.receive({ message, raw, caller, headers: {}, conversation: this, reply })
  }

  /** The answers to a batch go out together, as one array, once the last is there. */
  #batch(messages: unknown[], raw: string): void {
    const refusal = batchRefusal(messages.length, this.version)
    if (refusal !== undefined) {
      this.#reject(RpcCode.invalidRequest, refusal, raw)
      return
    }
    const answers: (JsonRpcResponse | AnonymousError)[] = []
    let waiting = messages.filter(expectsAnswer).length
    const settle = () => {
      waiting--
      if (waiting === 0 && answers.length > 0) this.#write(answers)
    }
    const reply: Reply = {
      answer: response => {
        answers.push(response)
        settle()
        return Buffer.byteLength(JSON.stringify(response))
      },
      notify: message => this.#write(message),
      abandon: settle,
    }
    for (const message of messages) this.#receive(message, raw, reply)
  }

  /** Answers what never became a message. */
  #reject(code: number, why: string, raw: string): void {
    const { host } = this.#options
    const entry = host.note({ transport: 'stdio', session: null, caller: '', method: null, headers: {}, raw })
    host.noteEnd(entry, 'protocol_error', this.#write(anonymousError(code, why)))
  }

  /** What is written in one turn of the event loop leaves as one write. */
  #write(message: object): number {
    const json = JSON.stringify(message)
    if (this.#pending === '') setImmediate(() => this.#flush())
    this.#pending += `${json}\n`
    return Buffer.byteLength(json)
  }

  #flush(): void {
    if (this.#pending === '') return
    const pending = this.#pending
    this.#pending = ''
    this.#options.output.write(pending)
  }
}
