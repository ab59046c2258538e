import {
  createServer,
  type IncomingHttpHeaders,
  IncomingMessage,
  type Server,
  ServerResponse,
} from 'node:http'
import { type AddressInfo, isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import { Refusal } from '../errors.js'

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
  /** Host names that are accepted in addition to `host` and the loopback names. Default: none. */
  allowedHosts?: readonly string[]
  /**
   * True: a page may call only the origin that served the page, and no other port of this machine. Default
   * false, because developer tools are often served from another port.
   */
  ownPagesOnly?: boolean
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
      allowedHosts = [],
      ownPagesOnly = false,
    } = options
    const guard = new Guard([host, ...allowedHosts], ownPagesOnly)
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

/** `name`, `name:port`, `[v6]` or `[v6]:port`. */
const HOST = /^(\[[^\]]+\]|[^:[\]]+)(?::(\d{1,5}))?$/

/** A scheme, followed by a host as in {@link HOST}. */
const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/(.+)$/i

const MAX_PORT = 65_535

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]']

/**
 * Checks the Host and Origin headers, and refuses requests that are not meant for this listener.
 *
 * A web page can make a browser call a loopback port. By DNS rebinding, the call can also use a host name of
 * the attacker. The page cannot forge these two headers. The MCP specification requires the status 403 for a
 * foreign Origin. A foreign Host is part of the same attack, so it gets the same status.
 */
export class Guard {
  readonly #names: Set<string>
  readonly #ownPagesOnly: boolean
  /**
   * The last Host that was accepted. Storing this Host saves work, because almost every request has the same
   * Host.
   */
  #lastHost: string | undefined

  /**
   * @param names host names that are accepted in addition to the loopback names, e.g. the address of the
   *   listener
   * @param ownPagesOnly as in {@link ListenerOptions}
   */
  constructor(names: readonly string[] = [], ownPagesOnly = false) {
    this.#ownPagesOnly = ownPagesOnly
    this.#names = new Set([...LOOPBACK, ...names.map(canonical)])
  }

  /**
   * Returns the reason why a request is refused. Returns undefined if the request is allowed.
   *
   * @param origins foreign origins that are allowed in addition
   * @param rawHeaders names and values in turn, in the order received. Needed because the parsed headers
   *   contain only the first of several Host headers
   */
  refusal(
    { host, origin }: IncomingHttpHeaders,
    origins: readonly string[] = [],
    rawHeaders: readonly string[] = [],
  ): string | undefined {
    if (hostsIn(rawHeaders) > 1) return 'the request has several Host headers: send one'
    if (host === undefined || !this.#acceptsHost(host)) {
      return `Host ${JSON.stringify(host ?? '')} is not served here: use 127.0.0.1 or localhost, or start with --allow-host`
    }
    if (origin !== undefined && !this.#acceptsPage(origin, host) && !origins.includes(origin)) {
      return `Origin ${JSON.stringify(origin)} may not call this server: pages of other sites are kept out`
    }
    return undefined
  }

  #acceptsHost(host: string): boolean {
    if (host === this.#lastHost) return true
    if (!this.#accepts(host)) return false
    this.#lastHost = host
    return true
  }

  #acceptsPage(origin: string, host: string): boolean {
    return this.#ownPagesOnly
      ? origin.toLowerCase() === `http://${host}`.toLowerCase()
      : this.#accepts(ORIGIN.exec(origin)?.[1] ?? '')
  }

  /**
   * Compares the host as text. A URL parser would be too lenient, because it reads `localhost#.evil` as
   * localhost.
   */
  #accepts(host: string): boolean {
    const [, name, port] = HOST.exec(host) ?? []
    if (name === undefined || Number(port ?? 1) < 1 || Number(port ?? 1) > MAX_PORT) return false
    return this.#names.has(canonical(name))
  }
}

/** Returns a host name in lower case. An IPv6 address is returned in brackets and in its short form. */
function canonical(name: string): string {
  const host = name.includes(':') && !name.startsWith('[') ? `[${name}]` : name.toLowerCase()
  const url = `http://${host}`
  return host.startsWith('[') && URL.canParse(url) ? new URL(url).hostname : host
}

function hostsIn(rawHeaders: readonly string[]): number {
  let hosts = 0
  for (let at = 0; at < rawHeaders.length; at += 2) if (rawHeaders[at]?.toLowerCase() === 'host') hosts++
  return hosts
}
