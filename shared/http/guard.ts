import type { IncomingHttpHeaders } from 'node:http'

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]']

export interface GuardOptions {
  /** Pages may call only where they come from, not from another port of this machine. Default false: tools for developers are such pages. */
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
    this.#names = new Set([...LOOPBACK, ...names.map(bracketed)])
  }

  /**
   * Why the request is turned down, or undefined if it may pass.
   *
   * @param origins foreign origins that may call all the same
   */
  refusal(headers: IncomingHttpHeaders, origins: readonly string[] = []): string | undefined {
    const { host, origin } = headers
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
    if (!this.#accepts(`http://${host}`)) return false
    this.#lastHost = host
    return true
  }

  #acceptsPage(origin: string, host: string): boolean {
    return this.#ownPagesOnly
      ? origin.toLowerCase() === `http://${host}`.toLowerCase()
      : this.#accepts(origin)
  }

  #accepts(origin: string): boolean {
    return URL.canParse(origin) && this.#names.has(new URL(origin).hostname)
  }
}

/** As `URL.hostname` writes it: an IPv6 address stands in brackets. */
function bracketed(name: string): string {
  return name.includes(':') && !name.startsWith('[') ? `[${name}]` : name.toLowerCase()
}
