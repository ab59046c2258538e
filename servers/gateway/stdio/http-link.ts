import type { OutgoingHttpHeaders } from 'node:http'
import type { JSONRPCNotification, JSONRPCRequest, RequestId } from '@modelcontextprotocol/sdk/types.js'
import type { Clock, Wakeup } from '../../../shared/clock/clock.js'
import type { Conversation } from '../../../shared/mcp/conversation.js'
import {
  errorResponse,
  isNotification,
  isRequest,
  isResponse,
  type JsonRpcResponse,
  RpcCode,
} from '../../../shared/mcp/messages.js'
import { mirroredHeaders } from '../../../shared/mcp/mirrored-headers.js'
import { defined } from '../../../shared/util/defined.js'
import { isObject } from '../../../shared/util/is-object.js'
import type { Log } from '../../../shared/util/log.js'
import { isModern } from '../era.js'
import type { Grant } from '../grants.js'
import { formatJson } from '../messages.js'
import type { CallerHeaders } from '../proxy/forwarded-headers.js'
import type { HttpUpstream, Sent, UpstreamAnswer } from '../proxy/http-upstream.js'
import { readAnswer } from '../proxy/read-response.js'
import { excerpt, isEventStream } from '../proxy/send-response.js'
import { EventReader } from '../proxy/sse-parser.js'
import type { Link, RequestSink, Upstream } from './link.js'

/** Before a stream that has ended is opened again; the SDK's own client waits as long. */
const REOPEN_MS = 1000

export interface HttpLinkOptions {
  upstream: HttpUpstream
  /** Of every request. */
  headers: OutgoingHttpHeaders
  query: string
  /** The machine's time: this concerns connections. */
  machine: Clock
  log: Log
  conversation: Conversation
}

/**
 * One client's session with an upstream over HTTP: a POST for each of its messages, none of which waits for
 * another's answer.
 */
class HttpLink implements Link {
  readonly #options: HttpLinkOptions
  readonly #open = new Map<RequestId, { sent: Sent; modern: boolean }>()
  /** Input schemas of tools, from the lists that the client has had. They tell which arguments headers repeat. */
  readonly #schemas = new Map<string, unknown>()
  /** Requests that wait for the greeting. */
  readonly #unsent = new Set<RequestId>()
  #session: string | undefined
  #version: string | undefined
  /** The greeting, in its two parts. Legacy messages wait for it. */
  #first: Promise<void> | undefined
  #stream: Sent | undefined
  #reopening: Wakeup | undefined
  #closed = false

  constructor(options: HttpLinkOptions) {
    this.#options = options
  }

  request(message: JSONRPCRequest, sink: RequestSink): void {
    if (isModern(message, {})) {
      this.#ask(message, sink)
      return
    }
    if (message.method !== 'initialize') {
      this.#unsent.add(message.id)
      this.#afterFirst(() => {
        if (this.#unsent.delete(message.id)) this.#ask(message, sink)
      })
      return
    }
    this.#session = undefined
    this.#version = undefined
    this.#first = new Promise(resolve => {
      this.#ask(message, {
        ...sink,
        answered: (response, status, lost) => {
          if ('result' in response) this.#version = String(response.result.protocolVersion)
          resolve()
          sink.answered(response, status, lost)
        },
      })
    })
  }

  cancel(id: RequestId, reason: string): void {
    // The upstream need not hear of what it has not heard of.
    if (this.#unsent.delete(id)) return
    const asked = this.#open.get(id)
    this.#open.delete(id)
    if (asked === undefined) return
    const { sent, modern } = asked
    if (modern) {
      sent.abort()
      return
    }
    // A dropped connection is a cancellation to some servers, the notification to others; it must get there before the drop.
    this.#tell({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id, reason } }, () =>
      sent.abort(),
    )
  }

  notify(message: JSONRPCNotification): void {
    if (message.method !== 'notifications/initialized') {
      this.#afterFirst(() => this.#tell(message, () => undefined))
      return
    }
    this.#afterFirst(() => {
      this.#first = new Promise(resolve => {
        this.#tell(message, () => {
          resolve()
          if (this.#session !== undefined) this.#listen()
        })
      })
    })
  }

  respond(message: JsonRpcResponse): void {
    this.#tell(message, () => undefined)
  }

  close(): void {
    this.#closed = true
    this.#reopening?.cancel()
    this.#stream?.abort()
    for (const { sent } of this.#open.values()) sent.abort()
    if (this.#session === undefined) return
    const { upstream } = this.#options
    const nothing = { answer: ({ body }: UpstreamAnswer) => body.discard(), fail: () => undefined }
    upstream.send({ method: 'DELETE', ...this.#addressed() }, nothing)
  }

  #afterFirst(then: () => void): void {
    if (this.#first === undefined) then()
    else void this.#first.then(then)
  }

  #ask(message: JSONRPCRequest, sink: RequestSink): void {
    const { upstream, conversation } = this.#options
    const { id } = message
    const modern = isModern(message, {})
    let status: number | null = null
    let over = false
    const lose = (why: string, code: number = RpcCode.transport) => {
      if (over) return
      over = true
      this.#open.delete(id)
      sink.answered(errorResponse(id, code, why), status, 'lost')
    }
    const sent = upstream.send(
      { method: 'POST', ...this.#addressed(modern ? message : undefined), body: JSON.stringify(message) },
      {
        fail: lose,
        answer: answer => {
          status = answer.status
          if (message.method === 'initialize' && status < 300) {
            this.#session = answer.headers['mcp-session-id']?.toString()
          }
          readMessages(answer, {
            message: one => {
              if (isResponse(one)) {
                if (one.id !== id || over) return
                over = true
                this.#open.delete(id)
                if (modern) this.#learn(one)
                sink.answered(one, status)
              } else if (isRequest(one) || isNotification(one)) {
                if (over) conversation.notify(one)
                else sink.preceded(one)
              }
            },
            ended: why => {
              const sessionLost = status === 404 && !modern && !over
              if (sessionLost) this.#lost()
              lose(
                `the upstream ${why ?? 'ended its answer too soon'}`,
                sessionLost ? RpcCode.sessionNotFound : undefined,
              )
            },
          })
        },
      },
    )
    if (!over) this.#open.set(id, { sent, modern })
  }

  /** Keeps the schemas of a list of tools. */
  #learn(answer: JsonRpcResponse): void {
    const result = 'result' in answer ? answer.result : undefined
    if (!isObject(result) || !Array.isArray(result.tools)) return
    for (const tool of result.tools) {
      if (!isObject(tool) || typeof tool.name !== 'string') continue
      // A schema that is nested too deeply to be written is not looked into either.
      if (formatJson(tool.inputSchema) !== undefined) this.#schemas.set(tool.name, tool.inputSchema)
    }
  }

  /** Sends a message that has no answer. `done` is called when it has arrived or has failed. */
  #tell(message: JSONRPCNotification | JsonRpcResponse, done: () => void): void {
    const { upstream, log } = this.#options
    upstream.send(
      { method: 'POST', ...this.#addressed(), body: JSON.stringify(message) },
      {
        fail: why => {
          log.warn(why)
          done()
        },
        answer: ({ body }) => {
          body.discard()
          done()
        },
      },
    )
  }

  /** Opens the stream on which the upstream says what belongs to no request. */
  #listen(): void {
    const { upstream, conversation } = this.#options
    if (this.#closed || this.#session === undefined) return
    const again = () => this.#listenAgain()
    this.#stream = upstream.send(
      { method: 'GET', ...this.#addressed() },
      {
        fail: again,
        answer: answer => {
          // 405: the upstream has no such stream.
          if (answer.status >= 300) {
            answer.body.discard()
            return
          }
          readMessages(answer, {
            message: one => {
              if (isRequest(one) || isNotification(one)) conversation.notify(one)
            },
            ended: again,
          })
        },
      },
    )
  }

  #listenAgain(): void {
    const { machine } = this.#options
    if (this.#closed || this.#session === undefined) return
    this.#reopening = machine.wakeAt(machine.now() + REOPEN_MS, () => this.#listen())
  }

  /** The upstream knows this session no more: the client is told so with its answer, and may initialize again. */
  #lost(): void {
    this.#session = undefined
    this.#stream?.abort()
  }

  /** @param modern the message, if it is of the modern era: its headers repeat it, and it is in no session */
  #addressed(modern?: JSONRPCRequest) {
    const { headers, query } = this.#options
    const own =
      modern === undefined
        ? defined({ 'mcp-session-id': this.#session, 'mcp-protocol-version': this.#version })
        : mirroredHeaders(modern, this.#schemas.get(String(modern.params?.name)))
    return { query, headers: { ...headers, ...own } }
  }
}

interface HttpLinksOptions {
  upstream: HttpUpstream
  headers: CallerHeaders
  machine: Clock
  log: Log
  /** Of the client on the pipe. */
  grant: Grant
}

/** A Streamable HTTP upstream for clients on pipes: each has a session of its own there. */
export class HttpLinks implements Upstream {
  readonly #options: HttpLinksOptions

  constructor(options: HttpLinksOptions) {
    this.#options = options
  }

  open(conversation: Conversation): Link {
    const { upstream, headers, grant, machine, log } = this.#options
    const accept = 'application/json, text/event-stream'
    const fixed = headers.for({ accept }, grant, undefined, false)
    const query = headers.query('', upstream.query)
    return new HttpLink({ upstream, headers: fixed, query, machine, log, conversation })
  }

  async close(): Promise<void> {}
}

interface MessageSink {
  message(message: unknown): void
  /** Called after the last message. @param why the problem with the answer. Undefined for a proper end */
  ended(why: string | undefined): void
}

/** The messages of an answer, whether it is one body or a stream. */
function readMessages(answer: UpstreamAnswer, sink: MessageSink): void {
  const { status, body } = answer
  if (status < 300 && isEventStream(answer)) {
    readEvents(answer, sink)
    return
  }
  readAnswer(body, read => {
    if (!read.ok) sink.ended(read.why)
    else if (status === 401 || status === 407)
      sink.ended(`did not take this gateway's credential (HTTP ${status})`)
    else if (status >= 300) {
      // A modern error has an HTTP status of its own.
      for (const message of parsed(read.text) ?? []) {
        if (isObject(message) && isObject(message.error)) sink.message(message)
      }
      sink.ended(`answered HTTP ${status}${excerpt(read.text)}`)
    } else {
      const messages = parsed(read.text)
      for (const message of messages ?? []) sink.message(message)
      // The error does not quote the answer, because an unreadable list may name hidden tools.
      sink.ended(messages === undefined ? 'answered with a body that is no answer to the request' : undefined)
    }
  })
}

function readEvents({ body }: UpstreamAnswer, sink: MessageSink): void {
  let over = false
  const end = (why?: string) => {
    if (over) return
    over = true
    body.destroy()
    sink.ended(why)
  }
  const reader = new EventReader({
    comment: () => undefined,
    retry: () => undefined,
    tooLong: () => end('sent an event that is too long to be looked at'),
    event: ({ data }) => {
      if (over || data.trim() === '') return
      const messages = parsed(data)
      if (messages === undefined) end('sent an event that is not JSON')
      for (const message of messages ?? []) sink.message(message)
    },
  })
  body.read({
    data: piece => {
      if (!over) reader.push(piece)
    },
    end: () => end(),
    broken: () => end('broke off in the middle of its answer'),
  })
}

/** @returns undefined for what is not JSON */
function parsed(text: string): unknown[] | undefined {
  try {
    const message: unknown = JSON.parse(text)
    return Array.isArray(message) ? message : [message]
  } catch {
    return undefined
  }
}
