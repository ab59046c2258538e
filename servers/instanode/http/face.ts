import type { TokenBuckets } from '../../../shared/clock/token-buckets.js'
import { isUnavailable } from '../../../shared/errors.js'
import { ApiFace } from '../../../shared/http/api-face.js'
import type { HttpCall } from '../../../shared/http/http-call.js'
import { openApiRoute } from '../../../shared/http/openapi-route.js'
import type { HttpAnswer, Route } from '../../../shared/http/routes.js'
import type { Instance } from '../../../shared/instance.js'
import type { Contract } from '../contract.js'
import type { Core } from '../core.js'
import { ServiceRefusal } from '../domain/refusals.js'
import { planRoute, tokenRoute } from './account.js'
import { encoded, failure, unavailable } from './answer.js'
import { addressOf, Callers } from './callers.js'
import { claimRoute, previewRoute } from './claim.js'
import { corsHeaders, SITE_ORIGIN } from './cors.js'
import { healthRoutes } from './health.js'
import { provisionRoutes } from './provision.js'
import { receiveRoutes } from './receive.js'
import { resourceRoutes } from './resources.js'
import { siteRoutes } from './site.js'
import { unrouted } from './unrouted.js'

/** How many requests one address may make. */
export interface RequestLimit {
  atOnce: number
  perSecond: number
}

export interface RestOptions {
  instance: Instance
  core: Core
  contract: Contract
  /** Undefined: as many as they like. */
  requestLimit: RequestLimit | undefined
  /** How much of that each address has used up. */
  requests: TokenBuckets | undefined
  /** `http://host:port`, as a client reaches it. */
  url: string
}

/** The service's HTTP API. */
export function createRestFace(options: RestOptions): ApiFace {
  const { instance, core, requestLimit, requests } = options
  const callers = new Callers(core.accounts)
  return new ApiFace({
    name: 'instanode',
    journal: instance.journal,
    stamp: instance.stamp ? instance.name : undefined,
    routes: createRoutes(options, callers),
    origins: [SITE_ORIGIN],
    turnAway: limiter(requestLimit, requests),
    nameOf: call => callers.nameOf(call),
    refuse: (error, call) => refuse(error, call, instance),
    unrouted,
    forbidden: why => failure(403, 'forbidden', why),
    headers: commonHeaders(instance),
  })
}

function createRoutes({ instance, core, contract, url }: RestOptions, callers: Callers): Route[] {
  const { clock, log } = instance
  const { service, accounts, ownership, receivers, readiness } = core
  return [
    ...receiveRoutes({ receivers, contract, log, headers: commonHeaders(instance) }),
    ...provisionRoutes(service, callers),
    ...resourceRoutes(service, callers, contract),
    claimRoute(service, accounts, callers),
    previewRoute(ownership, () => clock.now()),
    tokenRoute(service, callers),
    planRoute(accounts, callers),
    ...healthRoutes(readiness),
    openApiRoute(
      '/openapi.json',
      async () => (await import('./openapi.js')).openApi(contract, url),
      json => encoded(200, json, { 'Cache-Control': 'public, max-age=3600' }),
    ),
    ...siteRoutes(),
  ]
}

/** The request's id is the service's clock, in nanoseconds. Written out once a millisecond: there may be many in one. */
function commonHeaders({ clock }: Instance): (call: HttpCall) => Record<string, string> {
  let instant = Number.NaN
  let id = ''
  return call => {
    const now = clock.now()
    if (now !== instant) {
      instant = now
      id = `${now}000000`
    }
    return {
      ...corsHeaders(call),
      'X-Request-ID': id,
      // The service reads no more of it.
      ...(call.tooLarge && { Connection: 'close' }),
    }
  }
}

function limiter(
  limit: RequestLimit | undefined,
  buckets: TokenBuckets | undefined,
): (call: HttpCall) => HttpAnswer | undefined {
  if (limit === undefined || buckets === undefined) return () => undefined
  const refused = failure(
    429,
    'too_many_requests',
    `one address may make ${limit.atOnce} requests at once and ${limit.perSecond} a second: wait a moment`,
  )
  return call => (buckets.take(addressOf(call)) ? undefined : refused)
}

function refuse(error: unknown, { method, path }: HttpCall, { log }: Instance): HttpAnswer {
  if (error instanceof ServiceRefusal) {
    const { status, code, message, upgradeUrl } = error
    return failure(status, code, message, upgradeUrl === undefined ? {} : { upgrade_url: upgradeUrl })
  }
  if (isUnavailable(error)) return unavailable(error)
  log.error(`${method} ${path} failed`, error)
  return failure(500, 'internal_error', 'the request could not be carried out; the log of the server has it')
}
