import { Refusal } from '../../../shared/errors.js'
import { DAILY_CAP } from '../limits.js'
import { pricingUrl, startUrl } from './model.js'

/** A refusal by the service: the status, code and message of its HTTP API. Its tools quote them. */
export class ServiceRefusal extends Refusal {
  override readonly name = 'ServiceRefusal'

  /**
   * @param status HTTP
   * @param upgradeUrl page on which the caller could buy the refused feature
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

/** The answer for missing, malformed, expired and forged credentials alike. */
export function unauthorized(): ServiceRefusal {
  return new ServiceRefusal(
    401,
    'unauthorized',
    'this needs an account: send a valid token as Authorization: Bearer TOKEN',
  )
}

export function invalidName(why: string): ServiceRefusal {
  return new ServiceRefusal(400, 'name_required', why)
}

export function invalidToken(text: string): ServiceRefusal {
  const shown = text.length > 60 ? `${text.slice(0, 60)}…` : text
  return new ServiceRefusal(
    400,
    'invalid_token',
    `${JSON.stringify(shown)} is not a resource token: that is a UUID`,
  )
}

/**
 * The answer for unknown and foreign resources alike, so that it does not reveal which exist. It leaves out
 * the token, which is a secret.
 */
export function notFound(): ServiceRefusal {
  return new ServiceRefusal(
    404,
    'not_found',
    'no such resource on this account: list_resources shows what there is',
  )
}

/** The answer to a caller without an account, which has no list of resources. */
export function noSuchResource(): ServiceRefusal {
  return new ServiceRefusal(
    404,
    'not_found',
    'no such resource: compare the token with the one it was made with',
  )
}

export function missingToken(): ServiceRefusal {
  return new ServiceRefusal(400, 'missing_token', 'which resource? give its token: ?token=UUID')
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
    'only a paid account can delete; what a free account has goes by itself when its 24 hours are over',
    pricingUrl(token),
  )
}

export function rateLimited(): ServiceRefusal {
  return new ServiceRefusal(
    429,
    'rate_limited',
    `this subnet has had its ${DAILY_CAP}/day of anonymous provisions; it gets new ones at UTC midnight, an account at ${startUrl()}`,
  )
}

export function provisionFailed(): ServiceRefusal {
  return new ServiceRefusal(
    503,
    'provision_failed',
    'the database could not be created and nothing is left of it: try again',
  )
}

/** @param status 500 or 503, as the service answers in that case */
export function internalError(what: string, status: 500 | 503 = 503): ServiceRefusal {
  return new ServiceRefusal(status, 'internal_error', what)
}
