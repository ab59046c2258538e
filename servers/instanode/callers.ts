import { clientAddress } from '../../shared/http/listener.js'
import type { CallerClues } from '../../shared/mcp/conversation.js'
import type { Caller } from './service.js'

/** The address of callers on stdio and in memory, which are on this machine. */
export const LOCAL_ADDRESS = '127.0.0.1'

/**
 * Returns the caller on stdio.
 *
 * @param token the account token from the environment. Undefined or blank: the caller is anonymous.
 */
export function callerOnPipe(token: string | undefined): Caller {
  return { bearer: token?.trim() || undefined, address: LOCAL_ADDRESS }
}

/** The real service accepts only this spelling with one space. */
const SCHEME = 'Bearer '

/**
 * Returns the caller of a request. Its token is in the Authorization header, and its address in
 * `X-Forwarded-For` or on the socket.
 */
export function identify({ headers, remoteAddress = LOCAL_ADDRESS }: CallerClues): Caller {
  const { authorization } = headers
  const bearer = authorization?.startsWith(SCHEME) ? authorization.slice(SCHEME.length) : undefined
  return {
    bearer: bearer || undefined,
    address: clientAddress(remoteAddress, headers['x-forwarded-for'], 'first'),
  }
}
