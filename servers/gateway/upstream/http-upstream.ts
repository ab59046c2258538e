import {
  Agent,
  type ClientRequest,
  request as httpRequest,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http'
import { Agent as SecureAgent, request as secureRequest } from 'node:https'
import { connect } from 'node:net'
import type { Readable } from 'node:stream'
import { Refusal } from '../../../shared/errors.js'
import { decoded } from './decoded.js'

export interface UpstreamRequest {
  method: string
  /** With its question mark; empty for none. */
  query: string
  headers: OutgoingHttpHeaders
  body?: string | Buffer
}

/** What the upstream answered; `body` is decompressed. */
export interface UpstreamAnswer {
  status: number
  headers: IncomingHttpHeaders
  body: Readable
}

export interface AnswerSink {
  answer(answer: UpstreamAnswer): void
  /** No answer came, or its beginning could not be read. */
  fail(why: string): void
}

/** A request under way; aborting it drops its connection, so that the upstream sees its caller gone. */
export interface Sent {
  abort(): void
}

/** A Streamable HTTP server far away, over connections that are kept. */
export class HttpUpstream {
  readonly #url: URL
  readonly #agent: Agent
  readonly #request: typeof httpRequest

  constructor(url: URL) {
    this.#url = url
    const secure = url.protocol === 'https:'
    // The connection used last is the least likely to have been closed meanwhile.
    const options = { keepAlive: true, scheduling: 'lifo', maxFreeSockets: 256 } as const
    this.#agent = secure ? new SecureAgent(options) : new Agent(options)
    this.#request = secure ? secureRequest : httpRequest
  }

  /** As an error may show it: without a query, which may hold a secret. */
  get name(): string {
    return `${this.#url.origin}${this.#url.pathname}`
  }

  get query(): URLSearchParams {
    return this.#url.searchParams
  }

  /**
   * Connects, and says nothing: what no caller has asked for must not show in the upstream's record.
   *
   * @throws Refusal `upstream_unreachable`
   */
  async reach(): Promise<void> {
    const { hostname, port, protocol } = this.#url
    const host = hostname.replace(/^\[|\]$/g, '')
    const socket = connect({ host, port: Number(port) || (protocol === 'https:' ? 443 : 80) })
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', (error: NodeJS.ErrnoException) => {
        const message = `the upstream ${this.name} cannot be reached (${reasonOf(error)})`
        reject(new Refusal('upstream_unreachable', message, 'start it first, or mend the URL'))
      })
    }).finally(() => socket.destroy())
  }

  send({ method, query, headers, body }: UpstreamRequest, sink: AnswerSink): Sent {
    let over = false
    const fail = (error: NodeJS.ErrnoException) => {
      if (over) return
      over = true
      sink.fail(`the upstream ${this.name} ${failureOf(error)}`)
    }
    let request: ClientRequest
    try {
      request = this.#request({
        agent: this.#agent,
        protocol: this.#url.protocol,
        hostname: this.#url.hostname.replace(/^\[|\]$/g, ''),
        port: this.#url.port,
        path: this.#url.pathname + query,
        method,
        headers: body === undefined ? headers : { ...headers, 'content-length': Buffer.byteLength(body) },
      })
    } catch (error) {
      queueMicrotask(() => fail(error instanceof Error ? error : new Error(String(error))))
      return { abort: () => undefined }
    }
    request.setNoDelay(true)
    request.on('error', fail)
    request.on('response', response => {
      if (over) return
      over = true
      sink.answer({
        status: response.statusCode ?? 0,
        headers: response.headers,
        body: decoded(response, response.headers['content-encoding']),
      })
    })
    request.end(body)
    return {
      abort() {
        over = true
        request.destroy()
      },
    }
  }

  /** Drops every connection. */
  close(): void {
    this.#agent.destroy()
  }
}

function failureOf(error: NodeJS.ErrnoException): string {
  if (error.code === 'ECONNREFUSED' || error.code === 'ENOTFOUND')
    return `cannot be reached (${reasonOf(error)})`
  return `broke off without an answer (${reasonOf(error)})`
}

function reasonOf(error: NodeJS.ErrnoException): string {
  return error.code ?? error.message
}
