import { clientAddress } from '../../shared/http/listener.js'
import type { CallerClues } from '../../shared/mcp/conversation.js'
import type { Caller } from './service.js'

/** A caller over a pipe or in memory calls from this machine. */
export const LOCAL_ADDRESS = '127.0.0.1'

/** The caller behind a pipe. @param token of its account, if it brings one */
export function callerOnPipe(token: string | undefined): Caller {
  return { bearer: token?.trim() || undefined, address: LOCAL_ADDRESS }
}

/** As the service reads it: this spelling, one space. */
const SCHEME = 'Bearer '

/** The caller of a request, by its Authorization header and the address it comes from. */
export function identify({ headers, remoteAddress = LOCAL_ADDRESS }: CallerClues): Caller {
  const { authorization } = headers
  const bearer = authorization?.startsWith(SCHEME) ? authorization.slice(SCHEME.length) : undefined
  return {
    bearer: bearer || undefined,
    address: clientAddress(remoteAddress, headers['x-forwarded-for'], 'first'),
  }
}
