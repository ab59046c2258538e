import type { IncomingHttpHeaders } from 'node:http'

/** `name`, `name:port`, `[v6]` or `[v6]:port`. */
const HOST = /^(\[[^\]]+\]|[^:[\]]+)(?::(\d{1,5}))?$/

/** A scheme, and the rest as in {@link HOST}. */
const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/(.+)$/i

const MAX_PORT = 65_535

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]']

export interface GuardOptions {
  /**
   * Pages may call only where they come from, not from another port of this machine. Default false: tools
   * for developers are such pages.
   */
  ownPagesOnly?: boolean
}

/**
 * Whether a request was meant for this listener, by its Host and Origin headers.
 *
 * A web page can make a browser call a loopback port, and by DNS rebinding under a name of its own; it cannot
 * forge these two headers. The specification wants a foreign Origin answered with 403; a foreign Host is the same attack.
 */
export class Guard {
  readonly #names: Set<string>
  readonly #ownPagesOnly: boolean
  /** The last Host that was let in: as good as every request has the same. */
  #lastHost: string | undefined

  /** @param names host names to accept beside the loopback ones, e.g. the address the listener is bound to */
  constructor(names: readonly string[] = [], { ownPagesOnly = false }: GuardOptions = {}) {
    this.#ownPagesOnly = ownPagesOnly
    this.#names = new Set([...LOOPBACK, ...names.map(canonical)])
  }

  /**
   * Why the request is turned down, or undefined if it may pass.
   *
   * @param origins foreign origins that may call all the same
   * @param rawHeaders names and values in turn, as they arrived: `headers` has only the first of several Host headers
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

  /** Compares text. A URL parser would be lenient: it takes `localhost#.evil` for localhost. */
  #accepts(host: string): boolean {
    const [, name, port] = HOST.exec(host) ?? []
    if (name === undefined || Number(port ?? 1) < 1 || Number(port ?? 1) > MAX_PORT) return false
    return this.#names.has(canonical(name))
  }
}

/** In small letters. An IPv6 address in brackets, and in its short form. */
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
