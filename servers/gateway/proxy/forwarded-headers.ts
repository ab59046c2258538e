import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http'
import { Refusal } from '../../../shared/errors.js'
import type { Grant } from '../grants.js'
import type { HandlePolicy } from '../options.js'

/**
 * Headers that the protocol and tracing need. Other headers of a caller are not passed on, because some of
 * them are credentials or cookies.
 */
const PASSED = ['accept', 'mcp-protocol-version', 'traceparent', 'tracestate', 'user-agent']

/**
 * Headers that are passed on only for legacy requests. The gateway does not check the session of a modern
 * request, so a modern request must not reach a session of another caller.
 */
const LEGACY = ['mcp-session-id', 'last-event-id']

/**
 * Headers that are passed on only for modern requests. They repeat parts of the body. A header with the
 * prefix `PARAMETER` repeats an argument.
 */
const MODERN = ['mcp-method', 'mcp-name']
const PARAMETER = 'mcp-param-'

/**
 * Headers of a caller that are never passed on. They are for the gateway itself, or only for its connection
 * to the caller.
 */
const NEVER_PASSED = new Set([
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
  /**
   * Names and values of headers that are added to every request, such as the credential for the upstream.
   * They replace headers of the caller that have the same names.
   */
  fixed: readonly (readonly [name: string, value: string])[]
  /** Names of additional headers of the caller that are passed on. */
  pass: readonly string[]
  handle: HandlePolicy
}

/** Creates the headers and the query of requests to the upstream. */
export class CallerHeaders {
  readonly #options: CallerHeadersOptions
  readonly #fixed: OutgoingHttpHeaders
  readonly #legacy: readonly string[]
  readonly #modern: readonly string[]
  readonly #setsHandle: boolean

  /** @throws Refusal `bad_header` if `pass` names a header that must not be passed on */
  constructor(options: CallerHeadersOptions) {
    this.#options = options
    this.#fixed = Object.fromEntries(options.fixed.map(([name, value]) => [name.toLowerCase(), value]))
    const more = options.pass.map(name => name.toLowerCase())
    for (const name of more) {
      if (!NEVER_PASSED.has(name)) continue
      const hint = 'to send the upstream such a header, use --upstream-header'
      throw new Refusal('bad_header', `the header ${name} of a caller cannot be passed on`, hint)
    }
    this.#setsHandle = HANDLE in this.#fixed
    const both = [...PASSED, ...(options.handle === 'pass' ? [HANDLE] : []), ...more]
    this.#legacy = [...both, ...LEGACY]
    this.#modern = [...both.filter(name => !LEGACY.includes(name)), ...MODERN]
  }

  /**
   * Returns the headers of a request to the upstream.
   *
   * @param peer the address of the caller
   * @param modern true if the request is of the modern era
   */
  for(
    headers: IncomingHttpHeaders,
    grant: Grant,
    peer: string | undefined,
    modern: boolean,
  ): OutgoingHttpHeaders {
    const sent: OutgoingHttpHeaders = {
      'content-type': 'application/json',
      // The gateway has to read the answer, so it asks the upstream not to compress it.
      'accept-encoding': 'identity',
    }
    // The `X-Forwarded-For` of the caller is replaced. With a false address, the caller could evade limits
    // that count by address.
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

  /**
   * Returns the query of a request to the upstream. It has the parameters of the upstream's URL. It also has
   * the parameter `handle` of the caller, if the option `handle` is `pass`.
   *
   * @param search the query of the caller's request
   * @param own the query of the upstream's URL
   */
  query(search: string, own: URLSearchParams): string {
    const query = new URLSearchParams(own)
    const handle = new URLSearchParams(search).get('handle')
    if (this.#options.handle === 'pass' && !this.#setsHandle && handle !== null && !own.has('handle')) {
      query.set('handle', handle)
    }
    return query.size === 0 ? '' : `?${query}`
  }
}
