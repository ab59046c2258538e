import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http'
import { Refusal } from '../../../shared/errors.js'
import type { Grant } from '../grants.js'
import type { HandlePolicy } from '../options.js'

/** Headers that the protocol and tracing need. No other header of a caller passes: it may be a credential or a cookie. */
const PASSED = ['accept', 'mcp-protocol-version', 'traceparent', 'tracestate', 'user-agent']

/** Headers of legacy requests alone. The modern era has no sessions, so the owner of a session named there is not checked. */
const LEGACY = ['mcp-session-id', 'last-event-id']

/** Headers of modern requests alone: they repeat the body. Those that repeat an argument begin with {@link PARAMETER}. */
const MODERN = ['mcp-method', 'mcp-name']
const PARAMETER = 'mcp-param-'

/** Never passed, even if asked for: they are between the caller and this gateway, or about one connection. */
const KEPT = new Set([
  'authorization',
  'cookie',
  'proxy-authorization',
  'host',
  'connection',
  'keep-alive',
  'transfer-encoding',
  'te',
  'trailer',
  'upgrade',
  'expect',
  'content-length',
  'content-encoding',
  'content-type',
  'accept-encoding',
  'origin',
])

const HANDLE = 'x-safebot-handle'

export interface CallerHeadersOptions {
  /** `[name, value]`: the upstream's credential, say. They go before what a caller sends. */
  fixed: readonly (readonly [name: string, value: string])[]
  /** Names of further headers to pass on. */
  pass: readonly string[]
  handle: HandlePolicy
}

/** Headers and query that the upstream gets with a body. */
export class CallerHeaders {
  readonly #options: CallerHeadersOptions
  readonly #fixed: OutgoingHttpHeaders
  readonly #legacy: readonly string[]
  readonly #modern: readonly string[]
  readonly #setsHandle: boolean

  /** @throws Refusal `bad_header` for a header that is not to be passed on */
  constructor(options: CallerHeadersOptions) {
    this.#options = options
    this.#fixed = Object.fromEntries(options.fixed.map(([name, value]) => [name.toLowerCase(), value]))
    const more = options.pass.map(name => name.toLowerCase())
    for (const name of more) {
      if (!KEPT.has(name)) continue
      const hint = 'give the upstream a header of its own with --upstream-header'
      throw new Refusal('bad_header', `the header ${name} of a caller is not passed on`, hint)
    }
    this.#setsHandle = HANDLE in this.#fixed
    const both = [...PASSED, ...(options.handle === 'pass' ? [HANDLE] : []), ...more]
    this.#legacy = [...both, ...LEGACY]
    this.#modern = [...both.filter(name => !LEGACY.includes(name)), ...MODERN]
  }

  /**
   * The headers that the upstream gets.
   *
   * @param peer the caller's address
   * @param modern whether the request is of the modern era
   */
  for(
    headers: IncomingHttpHeaders,
    grant: Grant,
    peer: string | undefined,
    modern: boolean,
  ): OutgoingHttpHeaders {
    const sent: OutgoingHttpHeaders = {
      'content-type': 'application/json',
      // A compressed answer would have to be taken apart to be looked at.
      'accept-encoding': 'identity',
    }
    // A caller's own value would evade limits that count by address.
    if (peer !== undefined) sent['x-forwarded-for'] = peer
    for (const name of modern ? this.#modern : this.#legacy) {
      const value = headers[name]
      if (value !== undefined) sent[name] = value
    }
    if (modern) {
      for (const name in headers) if (name.startsWith(PARAMETER)) sent[name] = headers[name]
    }
    if (this.#options.handle === 'grant') sent[HANDLE] = grant.label
    Object.assign(sent, this.#fixed)
    if (grant.credential !== undefined) sent.authorization = `Bearer ${grant.credential}`
    return sent
  }

  /** The query that the upstream gets: its own, and Safebot's `handle` where the header would pass, too. */
  query(search: string, own: URLSearchParams): string {
    const query = new URLSearchParams(own)
    const handle = new URLSearchParams(search).get('handle')
    if (this.#options.handle === 'pass' && !this.#setsHandle && handle !== null && !own.has('handle')) {
      query.set('handle', handle)
    }
    return query.size === 0 ? '' : `?${query}`
  }
}
