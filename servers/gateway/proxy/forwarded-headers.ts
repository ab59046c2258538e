import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http'
import { Refusal } from '../../../shared/errors.js'
import type { Grant } from '../grants.js'
import type { HandlePolicy } from '../options.js'

/** What the protocol and tracing need. Whatever else a caller sends stays here: credentials and cookies above all. */
const PASSED = [
  'accept',
  'mcp-session-id',
  'mcp-protocol-version',
  'mcp-method',
  'mcp-name',
  'last-event-id',
  'traceparent',
  'tracestate',
  'user-agent',
] as const

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

/** What of a caller's request the upstream gets to see beside its body. */
export class CallerHeaders {
  readonly #options: CallerHeadersOptions
  readonly #fixed: OutgoingHttpHeaders
  readonly #pass: readonly string[]
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
    this.#pass = [...PASSED, ...(options.handle === 'pass' ? [HANDLE] : []), ...more]
  }

  /** @param peer the caller's address */
  for(headers: IncomingHttpHeaders, grant: Grant, peer: string | undefined): OutgoingHttpHeaders {
    const sent: OutgoingHttpHeaders = {
      'content-type': 'application/json',
      // A compressed answer would have to be taken apart to be looked at.
      'accept-encoding': 'identity',
    }
    // What a caller says of itself there would get round limits that go by address.
    if (peer !== undefined) sent['x-forwarded-for'] = peer
    for (const name of this.#pass) {
      const value = headers[name]
      if (value !== undefined) sent[name] = value
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
