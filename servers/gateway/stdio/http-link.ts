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
import type { Log } from '../../../shared/util/log.js'
import { defined, isObject } from '../../../shared/util/objects.js'
import { isModern } from '../era.js'
import type { Grant } from '../grants.js'
import { formatJson } from '../messages.js'
import type { CallerHeaders } from '../proxy/forwarded-headers.js'
import type { HttpUpstream, Sent, UpstreamAnswer } from '../proxy/http-upstream.js'
import { readAnswer } from '../proxy/read-response.js'
import { excerpt, isEventStream } from '../proxy/send-response.js'
import { EventReader } from '../proxy/sse-parser.js'
import type { Link, RequestSink, Upstream } from './link.js'

/**
 * Time in milliseconds before an ended stream is opened again. The client of the SDK waits for the same time.
 */
const REOPEN_MS = 1000

export interface HttpLinkOptions {
  upstream: HttpUpstream
  /** The headers that every request to the upstream has. */
  headers: OutgoingHttpHeaders
  query: string
  /** The clock of machine time, for opening an ended stream again. */
  machine: Clock
  log: Log
  conversation: Conversation
}

/**
 * The connection of a client on a pipe to an upstream over HTTP. Each message is sent in a separate POST.
 * Legacy messages wait until `initialize` is answered, but do not wait for other answers.
 */
class HttpLink implements Link {
  readonly #options: HttpLinkOptions
  readonly #open = new Map<RequestId, { sent: Sent; modern: boolean }>()
  /**
   * The input schemas of tools by name, from the lists that the client has received. A schema defines which
   * arguments of a modern call are repeated in headers.
   */
  readonly #schemas = new Map<string, unknown>()
  /** The ids of requests that are not sent yet, because they wait for `initialize`. */
  readonly #unsent = new Set<RequestId>()
  #session: string | undefined
  #version: string | undefined
  /**
   * Resolves when `initialize` is answered. It is replaced by a promise that resolves when
   * `notifications/initialized` has arrived. Legacy messages wait for this promise.
   */
  #handshake: Promise<void> | undefined
  #stream: Sent | undefined
  #reopening: Wakeup | undefined
  #closed = false

  constructor(options: HttpLinkOptions) {
    this.#options = options
  }

  request(message: JSONRPCRequest, sink: RequestSink): void {
    if (isModern(message, {})) {
      this.#sendRequest(message, sink)
      return
    }
    if (message.method !== 'initialize') {
      this.#unsent.add(message.id)
      this.#afterHandshake(() => {
        if (this.#unsent.delete(message.id)) this.#sendRequest(message, sink)
      })
      return
    }
    this.#session = undefined
    this.#version = undefined
    this.#handshake = new Promise(resolve => {
      this.#sendRequest(message, {
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
    // If the request was not sent yet, the upstream need not learn of the cancellation.
    if (this.#unsent.delete(id)) return
    const asked = this.#open.get(id)
    this.#open.delete(id)
    if (asked === undefined) return
    const { sent, modern } = asked
    if (modern) {
      sent.abort()
      return
    }
    // Some servers treat a closed connection as a cancellation. Others need the notification, which must
    // arrive before the connection is closed.
    this.#sendOneWay(
      { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id, reason } },
      () => sent.abort(),
    )
  }

  notify(message: JSONRPCNotification): void {
    if (message.method !== 'notifications/initialized') {
      this.#afterHandshake(() => this.#sendOneWay(message, () => undefined))
      return
    }
    this.#afterHandshake(() => {
      this.#handshake = new Promise(resolve => {
        this.#sendOneWay(message, () => {
          resolve()
          if (this.#session !== undefined) this.#openStream()
        })
      })
    })
  }

  respond(message: JsonRpcResponse): void {
    this.#sendOneWay(message, () => undefined)
  }

  close(): void {
    this.#closed = true
    this.#reopening?.cancel()
    this.#stream?.abort()
    for (const { sent } of this.#open.values()) sent.abort()
    if (this.#session === undefined) return
    const { upstream } = this.#options
    const nothing = { answer: ({ body }: UpstreamAnswer) => body.discard(), fail: () => undefined }
    upstream.send({ method: 'DELETE', ...this.#queryAndHeaders() }, nothing)
  }

  #afterHandshake(then: () => void): void {
    if (this.#handshake === undefined) then()
    else void this.#handshake.then(then)
  }

  #sendRequest(message: JSONRPCRequest, sink: RequestSink): void {
    const { upstream, conversation } = this.#options
    const { id } = message
    const modern = isModern(message, {})
    let status: number | null = null
    let over = false
    const failRequest = (why: string, code: number = RpcCode.transport) => {
      if (over) return
      over = true
      this.#open.delete(id)
      sink.answered(errorResponse(id, code, why), status, 'lost')
    }
    const sent = upstream.send(
      {
        method: 'POST',
        ...this.#queryAndHeaders(modern ? message : undefined),
        body: JSON.stringify(message),
      },
      {
        fail: failRequest,
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
                if (modern) this.#storeSchemas(one)
                sink.answered(one, status)
              } else if (isRequest(one) || isNotification(one)) {
                if (over) conversation.notify(one)
                else sink.preceded(one)
              }
            },
            ended: why => {
              const sessionLost = status === 404 && !modern && !over
              if (sessionLost) this.#dropSession()
              failRequest(
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

  /** Stores the input schemas from an answer that is a list of tools. */
  #storeSchemas(answer: JsonRpcResponse): void {
    const result = 'result' in answer ? answer.result : undefined
    if (!isObject(result) || !Array.isArray(result.tools)) return
    for (const tool of result.tools) {
      if (!isObject(tool) || typeof tool.name !== 'string') continue
      // A schema that is nested too deeply to be written as JSON is not stored.
      if (formatJson(tool.inputSchema) !== undefined) this.#schemas.set(tool.name, tool.inputSchema)
    }
  }

  /** Sends a message that gets no answer. Calls `done` when the message has arrived, or could not be sent. */
  #sendOneWay(message: JSONRPCNotification | JsonRpcResponse, done: () => void): void {
    const { upstream, log } = this.#options
    upstream.send(
      { method: 'POST', ...this.#queryAndHeaders(), body: JSON.stringify(message) },
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

  /** Opens the stream on which the upstream sends messages that belong to no request. */
  #openStream(): void {
    const { upstream, conversation } = this.#options
    if (this.#closed || this.#session === undefined) return
    const again = () => this.#reopenStream()
    this.#stream = upstream.send(
      { method: 'GET', ...this.#queryAndHeaders() },
      {
        fail: again,
        answer: answer => {
          // The upstream has no such stream. It usually answers with 405.
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

  #reopenStream(): void {
    const { machine } = this.#options
    if (this.#closed || this.#session === undefined) return
    this.#reopening = machine.wakeAt(machine.now() + REOPEN_MS, () => this.#openStream())
  }

  /**
   * Removes the session, because the upstream no longer knows it. The request of the client fails, and the
   * client can initialize again.
   */
  #dropSession(): void {
    this.#session = undefined
    this.#stream?.abort()
  }

  /**
   * Returns the query and the headers of a request.
   *
   * @param modern the message, if it is modern. Parts of it are repeated in headers. Undefined for a legacy
   *   message
   */
  #queryAndHeaders(modern?: JSONRPCRequest) {
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
  /** The grant of the client on the pipe. */
  grant: Grant
}

/** A Streamable HTTP upstream for clients on pipes. Each client has its own session with the upstream. */
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
  /**
   * Called after the last message.
   *
   * @param why the problem with the answer, as a clause that follows `the upstream`. Undefined for a regular
   *   end
   */
  ended(why: string | undefined): void
}

/** Reads the messages of an answer. The answer is a JSON body or an event stream. */
function readMessages(answer: UpstreamAnswer, sink: MessageSink): void {
  const { status, body } = answer
  if (status < 300 && isEventStream(answer)) {
    readEvents(answer, sink)
    return
  }
  readAnswer(body, read => {
    if (!read.ok) sink.ended(read.why)
    else if (status === 401 || status === 407)
      sink.ended(`did not accept this gateway's credential (HTTP ${status})`)
    else if (status >= 300) {
      // A modern JSON-RPC error arrives with an HTTP error status.
      for (const message of parseMessages(read.text) ?? []) {
        if (isObject(message) && isObject(message.error)) sink.message(message)
      }
      sink.ended(`answered HTTP ${status}${excerpt(read.text)}`)
    } else {
      const messages = parseMessages(read.text)
      for (const message of messages ?? []) sink.message(message)
      // The error does not quote the body, because the body could be a list that names hidden tools.
      sink.ended(
        messages === undefined ? 'answered with a body that is not an answer to the request' : undefined,
      )
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
    tooLong: () => end('sent an event that is too long'),
    event: ({ data }) => {
      if (over || data.trim() === '') return
      const messages = parseMessages(data)
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

/** Parses JSON and returns its messages as a list. @returns undefined if the text is not JSON */
function parseMessages(text: string): unknown[] | undefined {
  try {
    const message: unknown = JSON.parse(text)
    return Array.isArray(message) ? message : [message]
  } catch {
    return undefined
  }
}
