import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Caller, Message } from './hooks.js'
import { errorResponse, HttpAnswer, type PolicyGateway } from './policy-gateway.js'
import { HttpUpstream, messagesOf, parsed } from './upstream.js'

const MAX_BODY_BYTES = 4 * 1024 * 1024

/** Headers of a request that the upstream gets. */
const PASSED = ['mcp-session-id', 'mcp-protocol-version', 'x-safebot-handle', 'last-event-id', 'traceparent']

export interface HttpFrontOptions {
  gateway: PolicyGateway
  upstream: string
  /** Labels of the grants by their bearer tokens. Empty: every caller is the grant `default`. */
  grants?: ReadonlyMap<string, string>
  /** The upstream's own `Authorization` header. */
  credential?: string | undefined
  /** Port on 127.0.0.1. Default: a free one. */
  port?: number
}

/** The gateway over Streamable HTTP, in front of a server over Streamable HTTP. Sessions are those of the upstream. */
export class HttpFront {
  readonly #options: HttpFrontOptions
  readonly #upstream: HttpUpstream
  readonly #server: Server
  /** Grants by the sessions that they opened. */
  readonly #sessions = new Map<string, string>()

  private constructor(options: HttpFrontOptions) {
    this.#options = options
    this.#upstream = new HttpUpstream(options.upstream)
    this.#server = createServer((request, response) => void this.#serve(request, response))
  }

  static async open(options: HttpFrontOptions): Promise<HttpFront> {
    const front = new HttpFront(options)
    front.#server.listen(options.port ?? 0, '127.0.0.1')
    await once(front.#server, 'listening')
    return front
  }

  get url(): string {
    const address = this.#server.address()
    if (!isListening(address)) throw new TypeError('the gateway does not listen')
    return `http://127.0.0.1:${address.port}/mcp`
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const grant = this.#grantOf(request)
      const session = request.headers['mcp-session-id']?.toString()
      if (session !== undefined && (this.#sessions.get(session) ?? grant) !== grant)
        throw new HttpAnswer(404, JSON.stringify(errorResponse(null, -32001, 'Session not found')))
      if (request.method === 'POST') await this.#post(request, response, grant)
      else await this.#pass(request, response, grant)
    } catch (error) {
      const { status, body, contentType } =
        error instanceof HttpAnswer
          ? error
          : new HttpAnswer(502, 'the upstream cannot be reached', 'text/plain')
      if (response.headersSent) response.end()
      else response.writeHead(status, { 'Content-Type': contentType }).end(body)
    }
  }

  /** @throws HttpAnswer 401 */
  #grantOf({ headers }: IncomingMessage): string {
    const { grants } = this.#options
    if (grants === undefined || grants.size === 0) return 'default'
    const grant = grants.get(headers.authorization?.replace(/^Bearer /i, '') ?? '')
    if (grant === undefined) throw new HttpAnswer(401, 'no grant has this bearer token', 'text/plain')
    return grant
  }

  async #post(request: IncomingMessage, response: ServerResponse, grant: string): Promise<void> {
    const body = parsed(await textOf(request))
    if (body === undefined)
      throw new HttpAnswer(400, JSON.stringify(errorResponse(null, -32700, 'Parse error')))
    const batch = Array.isArray(body)
    const reply = new Reply(request, response, batch)
    const caller = this.#callerOf(request, response, grant, message => reply.event(message))
    const { gateway } = this.#options
    const answers = await gateway.handle(body, caller, message =>
      this.#upstream.send(message, {
        headers: this.#headersOf(request, caller),
        signal: reply.signal,
        emit: received => gateway.emit(received, caller),
        responded: ({ headers, status }) => {
          const session = headers.get('mcp-session-id')
          if (session !== null) {
            this.#sessions.set(session, grant)
            caller.setHeader('Mcp-Session-Id', session)
          }
          if (!batch) reply.status = status
        },
      }),
    )
    reply.end(answers)
  }

  /** GET and DELETE: the stream and the end of a session. */
  async #pass(request: IncomingMessage, response: ServerResponse, grant: string): Promise<void> {
    const caller = this.#callerOf(request, response, grant, message => response.write(eventOf(message)))
    const left = new AbortController()
    response.on('close', () => left.abort())
    const answer = await fetch(this.#upstream.url, {
      method: request.method ?? 'GET',
      headers: { ...this.#headersOf(request, caller), Accept: request.headers.accept ?? 'text/event-stream' },
      signal: left.signal,
    })
    if (answer.headers.get('content-type')?.startsWith('text/event-stream') !== true) {
      const headers = { 'Content-Type': answer.headers.get('content-type') ?? 'text/plain' }
      response.writeHead(answer.status, headers).end(await answer.text())
      return
    }
    response.writeHead(answer.status, { 'Content-Type': 'text/event-stream' }).flushHeaders()
    for await (const message of messagesOf(answer)) this.#options.gateway.emit(message, caller)
    response.end()
  }

  #callerOf(
    { headers }: IncomingMessage,
    response: ServerResponse,
    grant: string,
    emit: (message: Message) => void,
  ): Caller {
    return {
      grant,
      authorization: headers.authorization,
      session: headers['mcp-session-id']?.toString(),
      emit,
      setHeader: (name, value) => {
        if (!response.headersSent) response.setHeader(name, value)
      },
    }
  }

  #headersOf({ headers }: IncomingMessage, caller: Caller): Record<string, string> {
    const passed = PASSED.flatMap(name => {
      const value = headers[name]
      return value === undefined ? [] : [[name, value.toString()] as const]
    })
    const credential = this.#options.gateway.credential(this.#options.credential, caller)
    return { ...Object.fromEntries(passed), ...(credential !== undefined && { Authorization: credential }) }
  }
}

/** The response to a POST: JSON, or a stream of events once a message comes before the answer. */
class Reply {
  /** Of the upstream's response. */
  status = 200
  readonly #response: ServerResponse
  readonly #batch: boolean
  readonly #events: boolean
  readonly #left = new AbortController()

  constructor({ headers }: IncomingMessage, response: ServerResponse, batch: boolean) {
    this.#response = response
    this.#batch = batch
    this.#events = headers.accept?.includes('application/json') === false
    response.on('close', () => {
      if (!response.writableFinished) this.#left.abort()
    })
  }

  /** Aborts when the client closes the connection before it has its answer. */
  get signal(): AbortSignal {
    return this.#left.signal
  }

  event(message: Message): void {
    const response = this.#response
    if (response.writableEnded || response.destroyed) return
    if (!response.headersSent) response.writeHead(200, { 'Content-Type': 'text/event-stream' })
    response.write(eventOf(message))
  }

  end(answers: readonly Message[]): void {
    const response = this.#response
    if (response.headersSent || (this.#events && answers.length > 0)) {
      for (const answer of answers) this.event(answer)
      response.end()
    } else if (answers.length === 0) response.writeHead(202).end()
    else {
      const body = JSON.stringify(this.#batch ? answers : answers[0])
      response.writeHead(this.status, { 'Content-Type': 'application/json' }).end(body)
    }
  }
}

function eventOf(message: Message): string {
  return `event: message\ndata: ${JSON.stringify(message)}\n\n`
}

/** @throws HttpAnswer 413 */
async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    size += chunk.length
    if (size > MAX_BODY_BYTES) throw new HttpAnswer(413, 'the body is larger than 4 MiB', 'text/plain')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function isListening(address: AddressInfo | string | null): address is AddressInfo {
  return typeof address === 'object' && address !== null
}
