import type { IncomingHttpHeaders } from 'node:http'

/** `name`, `name:port`, `[v6]` or `[v6]:port`. */
const HOST = /^(\[[^\]]+\]|[^:[\]]+)(?::(\d{1,5}))?$/

/** A scheme, followed by a host as in {@link HOST}. */
const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/(.+)$/i

const MAX_PORT = 65_535

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]']

export interface GuardOptions {
  /**
   * True: a page may call only the origin that served the page, and no other port of this machine. Default
   * false, because developer tools are often served from another port.
   */
  ownPagesOnly?: boolean
}

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
   */
  constructor(names: readonly string[] = [], { ownPagesOnly = false }: GuardOptions = {}) {
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
