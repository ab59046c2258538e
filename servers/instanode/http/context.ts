import type { Request } from 'express'
import type { Clock } from '../../../shared/clock/clock.js'
import { isUnavailable } from '../../../shared/errors.js'
import { searchOf } from '../../../shared/http/operation.js'
import type { Log } from '../../../shared/util/log.js'
import { identify } from '../callers.js'
import type { Contract } from '../contract.js'
import type { Accounts } from '../domain/accounts.js'
import type { LocalService } from '../domain/local-service.js'
import type { Caller, InstanodeService } from '../service.js'

/** The parts of the service that the routes use. */
export interface RestContext {
  local: LocalService
  /** The service that callers reach: `local`, unless an attack puts another one in front of it. */
  service: InstanodeService
  callers: CallerResolver
  contract: Contract
  clock: Clock
  log: Log
}

const SESSION = /(?:^|;)\s*session=([^;\s]+)/

/** Identifies the caller of an HTTP request: by the cookie of a browser's session, or by the bearer. */
export class CallerResolver {
  readonly #accounts: Accounts

  constructor(accounts: Accounts) {
    this.#accounts = accounts
  }

  /** Returns the caller. Ignores a cookie that proves nothing, as the service does. */
  async of(request: Request): Promise<Caller> {
    const caller = callerOf(request)
    const cookie = sessionOf(request)
    if (cookie === undefined || (await this.#accounts.find(cookie)) === undefined) return caller
    return { ...caller, bearer: cookie }
  }

  /** Returns the caller's name for the journal. Verifies a new token. */
  nameOf(request: Request): string | Promise<string> {
    const { authorization, cookie } = request.headers
    return authorization === undefined && cookie === undefined ? 'anonymous' : this.#nameOf(request)
  }

  /** While the store is unavailable no token can be verified. The request is journaled anyway. */
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

/** Returns the address of a request. The daily cap and the request limit count by it. */
export function addressOf(request: Request): string {
  return callerOf(request).address
}

function callerOf(request: Request): Caller {
  const { headers, socket } = request
  const query = new URLSearchParams(searchOf(request))
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
