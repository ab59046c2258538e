import { Refusal } from '../../../shared/errors.js'
import { DAILY_CAP } from '../limits.js'
import { pricingUrl, startUrl } from './model.js'

/**
 * A refusal by the service, or a failure to reach it. It has the status, code and message of the HTTP API,
 * which the MCP tools quote.
 */
export class ServiceRefusal extends Refusal {
  override readonly name = 'ServiceRefusal'

  /**
   * @param status HTTP status of the answer, or 0 if the service could not be reached
   * @param upgradeUrl the page on which the caller can buy the refused feature
   */
  constructor(
    readonly status: number,
    code: string,
    message: string,
    readonly upgradeUrl?: string,
  ) {
    super(code, message)
  }
}

/**
 * Returns the refusal of a missing, malformed, expired or forged account token. The service has one answer
 * for all four.
 */
export function unauthorized(): ServiceRefusal {
  return new ServiceRefusal(
    401,
    'unauthorized',
    'this request needs an account: send a valid account token as Authorization: Bearer TOKEN',
  )
}

export function invalidName(why: string): ServiceRefusal {
  return new ServiceRefusal(400, 'name_required', why)
}

export function invalidToken(text: string): ServiceRefusal {
  const quoted = text.length > 60 ? `${text.slice(0, 60)}…` : text
  return new ServiceRefusal(
    400,
    'invalid_token',
    `${JSON.stringify(quoted)} is not a resource token: use the UUID that the creation returned`,
  )
}

/**
 * Returns the refusal of a resource that is unknown or that another account owns. Both cases have the same
 * answer, so that a caller cannot find out which tokens exist. The message leaves out the token, which is a
 * secret.
 */
export function notFound(): ServiceRefusal {
  return new ServiceRefusal(
    404,
    'not_found',
    'this account has no such resource: list_resources shows its resources',
  )
}

/**
 * Returns the refusal of an unknown token, for a caller without an account. Such a caller has no list of
 * resources.
 */
export function noSuchResource(): ServiceRefusal {
  return new ServiceRefusal(
    404,
    'not_found',
    'there is no resource with this token: compare it with the token that the creation returned',
  )
}

export function missingToken(): ServiceRefusal {
  return new ServiceRefusal(
    400,
    'missing_token',
    'the token of the resource is missing: add ?token=UUID to the URL',
  )
}

export function resourceExpired(): ServiceRefusal {
  return new ServiceRefusal(
    410,
    'resource_expired',
    'the resource has expired or was deleted: create a new one',
  )
}

export function paidTierOnly(token: string): ServiceRefusal {
  return new ServiceRefusal(
    403,
    'paid_tier_only',
    'only a paid account can delete a resource: upgrade, or wait until the resource ' +
      'expires 24 hours after its creation',
    pricingUrl(token),
  )
}

export function rateLimited(): ServiceRefusal {
  return new ServiceRefusal(
    429,
    'rate_limited',
    `this subnet has reached the cap of ${DAILY_CAP}/day for anonymous callers: wait ` +
      `until UTC midnight, or create an account at ${startUrl()}`,
  )
}

export function provisionFailed(): ServiceRefusal {
  return new ServiceRefusal(
    503,
    'provision_failed',
    'the database could not be created, and nothing of it is left: try again',
  )
}

/**
 * Returns the refusal of a request that failed inside of the service.
 *
 * @param what the failure and the remedy
 * @param status the status that the real service has in this case
 */
export function internalError(what: string, status: 500 | 503 = 503): ServiceRefusal {
  return new ServiceRefusal(status, 'internal_error', what)
}
