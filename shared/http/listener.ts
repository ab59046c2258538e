import { createServer, IncomingMessage, type Server, ServerResponse } from 'node:http'
import { type AddressInfo, isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import { Refusal } from '../errors.js'
import type { Guard } from './guard.js'

/** Answers the requests for one part of a listener: for the MCP endpoint, or for the API. */
export interface HttpHandler {
  /** Foreign origins whose pages may call this part. Default: none. */
  readonly origins?: readonly string[]
  handle(request: IncomingMessage, response: ServerResponse): void
  /** Answers with status 403, in the error format of this part. */
  rejectForbidden(request: IncomingMessage, response: ServerResponse, why: string): void
  /**
   * Called once, before the first request, with the classes of all requests and responses of the listener.
   */
  extendMessages?(classes: MessageClasses): void
}

/** The classes of one listener's requests and responses. */
export interface MessageClasses {
  readonly IncomingMessage: typeof IncomingMessage
  readonly ServerResponse: typeof ServerResponse
}

/**
 * Maximum number of open connections. The number is larger than the 10,000 requests that a server keeps open.
 * An idle connection takes about 20 KB.
 */
const MAX_CONNECTIONS = 12_000

export interface ListenerOptions {
  /** Address to bind to. */
  host: string
  /** The port. 0 selects a free port. */
  port: number
  /** Name of the listener in errors, such as `safebot`. */
  name: string
  /**
   * The command-line option that sets the port, for error messages. Default: `--NAME-port` with the
   * listener's name.
   */
  portOption?: string
  /** Maximum number of open connections. Further connections are closed. Default 12,000. */
  maxConnections?: number
  guard: Guard
  /** Creates the handlers when the URL is known, so that the handlers can show the URL. */
  handlers(url: string): Promise<Handlers>
}

export interface Handlers {
  /**
   * The MCP endpoint at `/mcp`. The endpoint is called without a web framework, because a framework costs
   * more than the call itself. Default: `api` also handles `/mcp`.
   */
  mcp?: HttpHandler
  /**
   * Creates the handler for all other requests when the first such request arrives, because a stdio server
   * has to start fast. Default: a handler that answers 404.
   */
  api?(): Promise<HttpHandler>
}

/** One HTTP port of a server. */
export class Listener {
  readonly #server: Server

  private constructor(
    server: Server,
    /** `http://host:port` for a client on this machine. */
    readonly url: string,
  ) {
    this.#server = server
  }

  /** Opens a port. @throws Refusal `port_busy` or `cannot_listen` */
  static async open(options: ListenerOptions): Promise<Listener> {
    const {
      host,
      port,
      name,
      portOption = `--${name}-port`,
      maxConnections = MAX_CONNECTIONS,
      guard,
    } = options
    const classes: MessageClasses = {
      IncomingMessage: class extends IncomingMessage {},
      ServerResponse: class<Request extends IncomingMessage> extends ServerResponse<Request> {},
    }
    const server = createServer(classes)
    server.maxConnections = maxConnections
    // The time is longer than the idle time of common proxies, so that the proxy closes an idle connection
    // first.
    server.keepAliveTimeout = 120_000
    await new Promise<void>((resolve, reject) => {
      server.once('error', error => reject(listenError(error, portOption, host, port)))
      server.listen({ host, port }, resolve)
    })
    const url = urlOf(server.address())
    const ready = options.handlers(url)
    let api: Promise<HttpHandler> | undefined
    const loadApi = ({ api: load = async () => NOT_FOUND }: Handlers) => {
      api ??= load().then(handler => {
        handler.extendMessages?.(classes)
        return handler
      })
      return api
    }
    server.on('request', async (request, response) => {
      const handlers = await ready
      const mcp = isMcp(request.url) ? handlers.mcp : undefined
      const handler = mcp ?? (await loadApi(handlers))
      const refusal = guard.refusal(request.headers, handler.origins, request.rawHeaders)
      if (refusal === undefined) handler.handle(request, response)
      else handler.rejectForbidden(request, response, refusal)
    })
    await ready
    return new Listener(server, url)
  }

  /** Whether the port accepts connections. */
  get listening(): boolean {
    return this.#server.listening
  }

  /** Stops listening and closes all connections immediately, as a killed process does. */
  cut(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }

  /** Stops listening, sends the answers that have been written, and then closes all connections. */
  close(): Promise<void> {
    return new Promise(resolve => {
      this.#server.close(() => resolve())
      setImmediate(() => this.#server.closeAllConnections())
    })
  }
}

/** The handler for paths other than `/mcp` if the listener serves only an MCP endpoint. */
const NOT_FOUND: HttpHandler = {
  handle({ method, url = '/' }, response) {
    const path = url.replace(/\?.*$/s, '')
    sendError(response, 404, 'not_found', `${method} ${path} is not served here: MCP is at /mcp`)
  },
  rejectForbidden(_request, response, why) {
    sendError(response, 403, 'forbidden', why)
  },
}

function sendError(response: ServerResponse, status: number, code: string, message: string): void {
  response.writeHead(status, { 'Content-Type': 'application/json' })
  response.end(JSON.stringify({ error: { code, message } }))
}

function isMcp(url: string | undefined): boolean {
  return url === '/mcp' || url?.startsWith('/mcp?') === true
}

function urlOf(address: AddressInfo | string | null): string {
  if (address === null || typeof address === 'string') throw new TypeError('the listener has no TCP address')
  if (address.address === '0.0.0.0' || address.address === '::') return `http://127.0.0.1:${address.port}`
  return `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`
}

function listenError(error: NodeJS.ErrnoException, option: string, host: string, port: number): Refusal {
  if (error.code === 'EADDRINUSE') {
    return new Refusal(
      'port_busy',
      `port ${port} on ${host} is in use`,
      `stop the program that listens there, or choose another port with ${option} (0 picks a free one)`,
    )
  }
  return new Refusal(
    'cannot_listen',
    `cannot listen on ${host}:${port} (${error.message})`,
    'check --host and the port',
  )
}

/** Returns whether an address is a loopback address. */
export function isLoopback(address: string): boolean {
  return isIP(address) !== 0 && ipaddr.process(address).range() === 'loopback'
}

/**
 * Returns the address of the client that sent a request. `X-Forwarded-For` is trusted only if a proxy on this
 * machine sent the request, because any other sender could give a false address.
 *
 * @param peer address of the socket's other end
 * @param forwardedFor the `X-Forwarded-For` header, if there is one
 * @param pick `first` selects the first address in the header, which is the farthest client. `nearest`
 *   selects the last address that is not a loopback address
 */
export function clientAddress(
  peer: string,
  forwardedFor: string | string[] | undefined,
  pick: 'first' | 'nearest',
): string {
  if (forwardedFor === undefined || !isLoopback(peer)) return peer
  const named = String(forwardedFor)
    .split(',')
    .map(address => address.trim())
    .filter(address => address !== '')
  const picked = pick === 'first' ? named[0] : (named.findLast(address => !isLoopback(address)) ?? named[0])
  return picked ?? peer
}
