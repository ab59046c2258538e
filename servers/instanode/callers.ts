import { isUnavailable } from '../../shared/errors.js'
import type { HttpCall } from '../../shared/http/http-call.js'
import { clientAddress } from '../../shared/http/listener.js'
import type { CallerClues } from '../../shared/mcp/conversation.js'
import type { Accounts } from './domain/accounts.js'
import type { Caller } from './service.js'

const SESSION = /(?:^|;)\s*session=([^;\s]+)/

/** Who is calling over HTTP: by the cookie of a browser's session, else by the bearer. */
export class Callers {
  readonly #accounts: Accounts

  constructor(accounts: Accounts) {
    this.#accounts = accounts
  }

  /** The caller. A cookie that proves nothing is passed over, as the service does. */
  async of(call: HttpCall): Promise<Caller> {
    const caller = callerOf(call)
    const cookie = sessionOf(call)
    if (cookie === undefined || (await this.#accounts.find(cookie)) === undefined) return caller
    return { ...caller, bearer: cookie }
  }

  /** The caller as the journal names it. A token it has not seen yet is verified for that. */
  nameOf(call: HttpCall): string | Promise<string> {
    const { authorization, cookie } = call.headers
    return authorization === undefined && cookie === undefined ? 'anonymous' : this.#nameOf(call)
  }

  /** While the store is away nobody can be verified; the request is noted all the same. */
  async #nameOf(call: HttpCall): Promise<string> {
    try {
      const { bearer } = await this.of(call)
      if (bearer !== undefined) await this.#accounts.find(bearer)
      return this.#accounts.nameOf(bearer)
    } catch (error) {
      if (isUnavailable(error)) return this.#accounts.nameOf(callerOf(call).bearer)
      throw error
    }
  }
}

/** Where a request comes from: the daily cap and the limiter count by it. */
export function addressOf(call: HttpCall): string {
  return callerOf(call).address
}

function callerOf({ headers, peer, query }: HttpCall): Caller {
  return identify({ transport: 'http', session: null, headers, remoteAddress: peer, query })
}

function sessionOf({ headers }: HttpCall): string | undefined {
  return SESSION.exec(headers.cookie ?? '')?.[1]
}

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
