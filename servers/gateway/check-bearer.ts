import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import type { HttpFace } from '../../shared/http/listener.js'
import { HttpRejection, sessionNotFound } from '../../shared/mcp/http/rejection.js'
import { anonymousError, RpcCode } from '../../shared/mcp/messages.js'
import type { Grant, Grants, SessionOwners } from './grants.js'

const CHALLENGE = 'Bearer realm="mcp-understudy gateway"'

/**
 * The grant that a request over HTTP comes under.
 *
 * @throws HttpRejection 401 without a known bearer; 404 for a session that another grant has opened
 */
export function checkBearer(headers: IncomingHttpHeaders, grants: Grants, owners: SessionOwners): Grant {
  const grant = grants.bearing(headers.authorization)
  if (grant === undefined) {
    const missing = headers.authorization === undefined
    const message = missing
      ? 'this gateway wants a grant: send its token as Authorization: Bearer TOKEN'
      : 'no grant has this bearer: check the token, or have it added to the grants'
    throw new HttpRejection(401, RpcCode.transport, message, {
      'WWW-Authenticate': missing ? CHALLENGE : `${CHALLENGE}, error="invalid_token"`,
    })
  }
  const session = headers['mcp-session-id']
  if (grants.asked && session !== undefined && !owners.owns(String(session), grant.label)) {
    throw sessionNotFound(String(session))
  }
  return grant
}

/** Lets only those through to an endpoint that have a grant. */
export class GuardedFace implements HttpFace {
  readonly #face: HttpFace
  readonly #grants: Grants
  readonly #owners: SessionOwners

  constructor(face: HttpFace, grants: Grants, owners: SessionOwners) {
    this.#face = face
    this.#grants = grants
    this.#owners = owners
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    try {
      checkBearer(request.headers, this.#grants, this.#owners)
    } catch (error) {
      if (!(error instanceof HttpRejection)) throw error
      const { status, code, message, headers } = error
      response.writeHead(status, { 'Content-Type': 'application/json', ...headers })
      response.end(JSON.stringify(anonymousError(code, message)))
      return
    }
    this.#face.handle(request, response)
  }

  forbid(request: IncomingMessage, response: ServerResponse, why: string): void {
    this.#face.forbid(request, response, why)
  }
}
