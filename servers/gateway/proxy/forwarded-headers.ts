import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http'
import { Refusal } from '../../../shared/errors.js'
import type { Grant } from '../grants.js'
import type { HandlePolicy } from '../options.js'

/**
 * Headers that the protocol and tracing need. Other headers of a caller are not passed, because they may be
 * credentials or cookies.
 */
const PASSED = ['accept', 'mcp-protocol-version', 'traceparent', 'tracestate', 'user-agent']

/**
 * Headers that only legacy requests pass. A modern request belongs to no session, so the owner of a session
 * is not checked for it.
 */
const LEGACY = ['mcp-session-id', 'last-event-id']

/**
 * Headers that only modern requests pass, because they repeat parts of the body. Headers with the prefix
 * `PARAMETER` repeat an argument.
 */
const MODERN = ['mcp-method', 'mcp-name']
const PARAMETER = 'mcp-param-'

/**
 * Headers of a caller that are never passed, because they are meant for this gateway or concern one
 * connection.
 */
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
  /**
   * Names and values of headers for every request, such as the upstream's credential. These headers replace
   * the headers of a caller.
   */
  fixed: readonly (readonly [name: string, value: string])[]
  /** Names of further headers of a caller to pass on. */
  pass: readonly string[]
  handle: HandlePolicy
}

/** Builds the headers and the query of requests to the upstream. */
export class CallerHeaders {
  readonly #options: CallerHeadersOptions
  readonly #fixed: OutgoingHttpHeaders
  readonly #legacy: readonly string[]
  readonly #modern: readonly string[]
  readonly #setsHandle: boolean

  /** @throws Refusal `bad_header` if `pass` names a header that must not be passed */
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
   * Returns the headers of a request to the upstream.
   *
   * @param peer address of the caller
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
      // The gateway has to read the answer, so it asks for an uncompressed one.
      'accept-encoding': 'identity',
    }
    // The caller's own `X-Forwarded-For` is replaced, because a false address would evade limits that count
    // by address.
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
   * Returns the query of a request to the upstream. The query has the parameters of the upstream's URL. The
   * caller's `handle` is added if the handle header would be passed as well.
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
