import type { Request } from 'express'
import type { Clock } from '../../../shared/clock/clock.js'
import { isUnavailable } from '../../../shared/errors.js'
import { queryTextOf } from '../../../shared/http/operation.js'
import type { Log } from '../../../shared/util/log.js'
import { identify } from '../callers.js'
import type { Contract } from '../contract.js'
import type { Accounts } from '../domain/accounts.js'
import type { LocalService } from '../domain/local-service.js'
import type { Caller, InstanodeService } from '../service.js'

/** The objects that the routes of the HTTP API use. */
export interface RestContext {
  local: LocalService
  /**
   * The service that callers reach. It is `local`, or the hostile service of an attack profile, which calls
   * `local`.
   */
  service: InstanodeService
  callers: CallerResolver
  contract: Contract
  clock: Clock
  log: Log
}

const SESSION = /(?:^|;)\s*session=([^;\s]+)/

/** Identifies the caller of an HTTP request by the session cookie of a browser, or by the bearer token. */
export class CallerResolver {
  readonly #accounts: Accounts

  constructor(accounts: Accounts) {
    this.#accounts = accounts
  }

  /**
   * Returns the caller of a request. A valid cookie comes before the bearer token. An invalid cookie is
   * ignored, as in the real service.
   */
  async of(request: Request): Promise<Caller> {
    const caller = callerOf(request)
    const cookie = sessionOf(request)
    if (cookie === undefined || (await this.#accounts.find(cookie)) === undefined) return caller
    return { ...caller, bearer: cookie }
  }

  /** Returns the caller's name for the journal. Verifies a token that was never verified. */
  nameOf(request: Request): string | Promise<string> {
    const { authorization, cookie } = request.headers
    return authorization === undefined && cookie === undefined ? 'anonymous' : this.#nameOf(request)
  }

  /**
   * Returns the name of a caller with credentials. While the store is unavailable, new tokens stay
   * `unverified`, so that the journal still has the request.
   */
  async #nameOf(request: Request): Promise<string> {
    try {
      const { bearer } = await this.of(request)
      if (bearer !== undefined) await this.#accounts.find(bearer)
      return this.#accounts.nameOf(bearer)
    } catch (error) {
      if (isUnavailable(error)) return this.#accounts.nameOf(callerOf(request).bearer)
      throw error
    }
  }
}

/** Returns the IP address of the caller. The daily cap and the request limit count by this address. */
export function addressOf(request: Request): string {
  return callerOf(request).address
}

function callerOf(request: Request): Caller {
  const { headers, socket } = request
  const query = new URLSearchParams(queryTextOf(request))
  return identify({
    transport: 'http',
    session: null,
    headers,
    remoteAddress: socket.remoteAddress ?? '',
    query,
  })
}

function sessionOf({ headers }: Request): string | undefined {
  return SESSION.exec(headers.cookie ?? '')?.[1]
}
