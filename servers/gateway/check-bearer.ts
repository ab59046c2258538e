import type { IncomingHttpHeaders } from 'node:http'
import { HttpRejection, sessionNotFound } from '../../shared/mcp/http/rejection.js'
import { RpcCode } from '../../shared/mcp/messages.js'
import type { Grant } from './grant.js'
import type { Grants } from './grants.js'
import type { SessionOwners } from './session-owners.js'

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
