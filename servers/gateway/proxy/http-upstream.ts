import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http'
import { connect, isIP, type Socket } from 'node:net'
import { connect as connectSecurely } from 'node:tls'
import { Refusal } from '../../../shared/errors.js'
import { defined } from '../../../shared/util/defined.js'
import type { AnswerBody } from './response-body.js'
import { Connection, type ConnectionSink } from './upstream-connection.js'

export interface UpstreamRequest {
  method: string
  /** With its question mark; empty for none. */
  query: string
  headers: OutgoingHttpHeaders
  body?: string
}

/** What the upstream answered. Its body is to be read, or discarded, at once. */
export interface UpstreamAnswer {
  status: number
  headers: IncomingHttpHeaders
  body: AnswerBody
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

/** What may stand in a header on its way out. */
const PLAIN = /^[\t\x20-\x7e]*$/

/**
 * A Streamable HTTP server far away, over connections that are kept. Node's own client costs more than all
 * else that a gateway does to a call; this one writes a request in one piece, and reads no more than
 * HTTP/1.1 has.
 */
export class HttpUpstream {
  readonly #url: URL
  readonly #host: string
  readonly #port: number
  /** Idle ones, the one used last at the end: it is the least likely to have been closed meanwhile. */
  readonly #free: Connection[] = []
  readonly #connections = new Set<Connection>()

  constructor(url: URL) {
    this.#url = url
    this.#host = url.hostname.replace(/^\[|\]$/g, '')
    this.#port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80)
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
    const socket = this.#connect()
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', (error: NodeJS.ErrnoException) => {
        const message = `the upstream ${this.name} cannot be reached (${error.code ?? error.message})`
        reject(new Refusal('upstream_unreachable', message, 'start it first, or mend the URL'))
      })
    }).finally(() => socket.destroy())
  }

  send(request: UpstreamRequest, sink: AnswerSink): Sent {
    const connection = this.#take()
    let over = false
    const own: ConnectionSink = {
      head: ({ status, headers }, body) => {
        if (!over) sink.answer({ status, headers, body })
      },
      fail: why => {
        if (!over) sink.fail(`the upstream ${this.name} ${why}`)
      },
    }
    connection.send(this.#written(request), own)
    return {
      abort() {
        over = true
        connection.abort(own)
      },
    }
  }

  /** Drops every connection. */
  close(): void {
    for (const connection of this.#connections) connection.destroy()
  }

  #take(): Connection {
    for (let idle = this.#free.pop(); idle !== undefined; idle = this.#free.pop()) {
      if (idle.fresh) return idle
      idle.destroy()
    }
    const connection = new Connection(
      this.#connect(),
      free => this.#free.push(free),
      closed => {
        this.#connections.delete(closed)
        const at = this.#free.indexOf(closed)
        if (at >= 0) this.#free.splice(at, 1)
      },
    )
    this.#connections.add(connection)
    return connection
  }

  #connect(): Socket {
    const to = { host: this.#host, port: this.#port, noDelay: true }
    if (this.#url.protocol === 'http:') return connect(to)
    const socket = connectSecurely({
      ...to,
      ...defined({ servername: isIP(this.#host) === 0 ? this.#host : undefined }),
    })
    return socket.setNoDelay(true)
  }

  #written({ method, query, headers, body }: UpstreamRequest): string {
    let head = `${method} ${this.#url.pathname}${query} HTTP/1.1\r\nhost: ${this.#url.host}\r\n`
    for (const name in headers) {
      const value = String(headers[name])
      if (PLAIN.test(value)) head += `${name}: ${value}\r\n`
    }
    if (body === undefined) return `${head}\r\n`
    return `${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  }
}
