import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../../shared/clock/clock.js'
import { Refusal } from '../../shared/errors.js'
import type { HttpHandler } from '../../shared/http/listener.js'
import type { IdSource } from '../../shared/ids.js'
import { McpEndpoint } from '../../shared/mcp/http/endpoint.js'
import { HttpRejection } from '../../shared/mcp/http/rejection.js'
import type { MessageHost } from '../../shared/mcp/message-host.js'
import { anonymousError } from '../../shared/mcp/messages.js'
import type { Log } from '../../shared/util/log.js'
import type { Enforcement } from './enforcement.js'
import { checkBearer, checkSession, type Grant, type Grants, SessionOwners } from './grants.js'
import type { GatewayOptions } from './options.js'
import { CallerHeaders } from './proxy/forwarded-headers.js'
import { HttpProxy } from './proxy/http-proxy.js'
import { ChildUpstream } from './stdio/child-upstream.js'
import { HttpLinks } from './stdio/http-link.js'
import type { Upstream } from './stdio/link.js'
import { RelayHost } from './stdio/relay-host.js'
import { readHeaderLine, readUpstreamUrl } from './upstream-options.js'

/** An open upstream, with a handler for clients over HTTP and a host for a client on a pipe. */
export interface UpstreamRoutes {
  readonly handler: HttpHandler
  /** Resolves with the exit code when the program of the upstream ends by itself. */
  readonly ended: Promise<number>
  pipeHost(grant: Grant): MessageHost<Grant>
  /** Answers all open requests with an error, because the gateway is shutting down. */
  failPending(): void
  close(): Promise<void>
}

/** The parts of the gateway that an upstream needs. */
interface UpstreamDeps {
  enforcement: Enforcement
  grants: Grants
  clock: Clock
  machine: Clock
  ids: IdSource
  log: Log
}

/** Connects to the upstream or starts its program. @throws Refusal if it cannot be reached or started */
export function openUpstream(options: GatewayOptions, deps: UpstreamDeps): Promise<UpstreamRoutes> {
  const { upstream } = options
  return typeof upstream === 'string'
    ? openHttpUpstream(upstream, options, deps)
    : openProgramUpstream(options, deps)
}

async function openHttpUpstream(
  text: string,
  { upstreamHeaders = [], passHeaders = [], handle = 'pass' }: GatewayOptions,
  deps: UpstreamDeps,
): Promise<UpstreamRoutes> {
  const { enforcement, grants, machine, log } = deps
  // This module loads undici, which an upstream on a pipe does not need.
  const { HttpUpstream } = await import('./proxy/http-upstream.js')
  const upstream = new HttpUpstream(readUpstreamUrl(text))
  const headers = new CallerHeaders({ fixed: upstreamHeaders.map(readHeaderLine), pass: passHeaders, handle })
  await upstream.reach()
  const hosts: RelayHost[] = []
  const handler = new HttpProxy({ upstream, headers, enforcement, grants, owners: new SessionOwners(), log })
  return {
    handler,
    ended: new Promise(() => undefined),
    pipeHost(grant) {
      const host = createRelay(new HttpLinks({ upstream, headers, machine, log, grant }), grants, deps)
      hosts.push(host)
      return host
    },
    failPending() {
      handler.failPending()
      for (const host of hosts) host.close('the gateway is shutting down')
    },
    async close() {
      // The DELETE requests that end the sessions must be sent before the connections are closed.
      await new Promise(resolve => setImmediate(resolve))
      upstream.close()
    },
  }
}

async function openProgramUpstream(options: GatewayOptions, deps: UpstreamDeps): Promise<UpstreamRoutes> {
  const { grants, machine, ids, log } = deps
  const { upstream, upstreamHeaders = [], passHeaders = [], handle = 'pass' } = options
  if (typeof upstream === 'string') throw new TypeError('the upstream has a URL')
  if (upstreamHeaders.length > 0 || passHeaders.length > 0 || handle !== 'pass') {
    const hint = 'use the environment or the arguments of the program instead'
    throw new Refusal('bad_header', 'headers cannot be sent to an upstream on a pipe', hint)
  }
  let onEnd: (code: number) => void = () => undefined
  const ended = new Promise<number>(resolve => {
    onEnd = resolve
  })
  const child = await ChildUpstream.start({ upstream, machine, log, onEnd })
  const owners = new SessionOwners()
  const host = createRelay(child, grants, deps, owners)
  const endpoint = new McpEndpoint({ host, machine, ids: ids.stream('sessions'), log })
  return {
    handler: new GuardedHandler(endpoint, grants, owners),
    ended,
    pipeHost: () => host,
    failPending() {
      host.close('the gateway is shutting down')
      endpoint.close()
    },
    close: () => child.close(),
  }
}

function createRelay(
  upstream: Upstream,
  grants: Grants,
  { enforcement, clock, machine }: UpstreamDeps,
  owners = new SessionOwners(),
): RelayHost {
  return new RelayHost({
    upstream,
    enforcement,
    clock,
    machine,
    identify: ({ headers, session }) => {
      const grant = acceptedGrant(grants, headers.authorization)
      // A request that opens a session names no session in its headers, so the check accepts it.
      if (session !== null) checkSession(headers, grant, grants, owners)
      return grant
    },
    opened: (session, grant) => owners.opened(session, grant.label),
    ended: session => owners.ended(session),
  })
}

/** Returns the grant of a caller that `GuardedHandler` has already accepted. */
function acceptedGrant(grants: Grants, authorization: string | undefined): Grant {
  const grant = grants.findByToken(authorization)
  if (grant === undefined) throw new Refusal('bad_grant', 'no grant has this bearer token')
  return grant
}

/** Passes requests of known callers to an endpoint, and refuses all other requests. */
class GuardedHandler implements HttpHandler {
  readonly #handler: HttpHandler
  readonly #grants: Grants
  readonly #owners: SessionOwners

  constructor(handler: HttpHandler, grants: Grants, owners: SessionOwners) {
    this.#handler = handler
    this.#grants = grants
    this.#owners = owners
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    try {
      const grant = checkBearer(request.headers, this.#grants)
      // The relay host checks the session of a POST. Only legacy messages have a session, and the era of a
      // message is known only after its body has been read.
      if (request.method !== 'POST') checkSession(request.headers, grant, this.#grants, this.#owners)
    } catch (error) {
      if (!(error instanceof HttpRejection)) throw error
      const { status, code, message, headers } = error
      response.writeHead(status, { 'Content-Type': 'application/json', ...headers })
      response.end(JSON.stringify(anonymousError(code, message)))
      return
    }
    this.#handler.handle(request, response)
  }

  rejectForbidden(request: IncomingMessage, response: ServerResponse, why: string): void {
    this.#handler.rejectForbidden(request, response, why)
  }
}
