import type { Clock } from '../../../shared/clock/clock.js'
import type { TokenBuckets } from '../../../shared/clock/token-buckets.js'
import { isUnavailable } from '../../../shared/errors.js'
import { ApiFace } from '../../../shared/http/api-face.js'
import type { HttpCall } from '../../../shared/http/http-call.js'
import { openApiRoute } from '../../../shared/http/openapi-route.js'
import type { HttpAnswer, Route } from '../../../shared/http/routes.js'
import type { Instance } from '../../../shared/instance.js'
import { defined } from '../../../shared/util/defined.js'
import type { Log } from '../../../shared/util/log.js'
import { siteUrl } from '../domain/model.js'
import { ServiceRefusal } from '../domain/refusals.js'
import type { RequestLimit } from '../limits.js'
import { answer, emptyAnswer, encoded, failure, textAnswer, unavailable } from './answer.js'
import { addressOf, Callers, type RestKit } from './context.js'
import { receiveRoutes } from './receive.js'
import { accountRoutes, provisionRoutes, resourceRoutes } from './resources.js'

/** The service's own pages, which may call the API with a session cookie from where they are. */
const SITE_ORIGIN = 'https://instanode.dev'

const TRUSTED = [SITE_ORIGIN, 'http://localhost:5173', 'http://localhost:3000']

const ALLOWED = {
  'Access-Control-Allow-Methods': 'POST, GET, OPTIONS, PUT, DELETE',
  'Access-Control-Allow-Headers': 'Authorization, Content-Type, X-CSRF-Token, X-Requested-With',
}

const TO_ANYONE = { ...ALLOWED, 'Access-Control-Allow-Origin': '*' }

/** What a browser is told about who may read the answer. */
function corsHeaders({ headers: { origin } }: HttpCall): Record<string, string> {
  if (origin === undefined) return TO_ANYONE
  if (!TRUSTED.includes(origin)) return ALLOWED
  return {
    ...ALLOWED,
    'Access-Control-Allow-Origin': origin,
    'Access-Control-Allow-Credentials': 'true',
    Vary: 'Origin',
  }
}

export interface RestOptions extends Pick<RestKit, 'local' | 'service' | 'contract'> {
  instance: Instance
  /** Undefined: any number. */
  requestLimit: RequestLimit | undefined
  /** Counts the requests of each address, if they are limited. */
  requests: TokenBuckets | undefined
  /** `http://host:port`, as a client reaches it. */
  url: string
}

/** The service's own HTTP API. */
export function createRest(options: RestOptions): ApiFace {
  const { instance, local, service, contract, requestLimit, requests, url } = options
  const { name, stamp, journal, clock, log } = instance
  const callers = new Callers(local.accounts)
  const kit: RestKit = { local, service, callers, contract, clock, log }
  const headers = commonHeaders(clock)
  return new ApiFace({
    name: 'instanode',
    journal,
    stamp: stamp ? name : undefined,
    routes: [
      ...receiveRoutes(kit, headers),
      ...provisionRoutes(kit),
      ...resourceRoutes(kit),
      ...accountRoutes(kit),
      ...aboutRoutes(kit),
      openApiRoute(
        '/openapi.json',
        async () => (await import('./openapi.js')).openApi(contract, url),
        json => encoded(200, json, { 'Cache-Control': 'public, max-age=3600' }),
      ),
    ],
    origins: [SITE_ORIGIN],
    turnAway: limiter(requestLimit, requests),
    nameOf: call => callers.nameOf(call),
    refuse: (error, call) => refuse(error, call, log),
    unrouted,
    forbidden: why => failure(403, 'forbidden', why),
    headers,
  })
}

/** The request's id is the service's clock, in nanoseconds. Written out once a millisecond: there may be many in one. */
function commonHeaders(clock: Clock): (call: HttpCall) => Record<string, string> {
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
      ...defined({ Connection: call.tooLarge ? 'close' : undefined }),
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

function refuse(error: unknown, { method, path }: HttpCall, log: Log): HttpAnswer {
  if (error instanceof ServiceRefusal) {
    const { status, code, message, upgradeUrl } = error
    return failure(status, code, message, upgradeUrl === undefined ? {} : { upgrade_url: upgradeUrl })
  }
  if (isUnavailable(error)) return unavailable(error)
  log.error(`${method} ${path} failed`, error)
  return failure(500, 'internal_error', 'the request could not be carried out; the log of the server has it')
}

/** Answers where no route is, as Go's router does: it has a page for every GET, and says 405 to the rest. */
function unrouted({ method, path }: HttpCall, methods: readonly string[]): HttpAnswer {
  if (method === 'OPTIONS') return emptyAnswer(200)
  if (!isEncoded(path)) return textAnswer(400, '400 Bad Request')
  if (method === 'GET' || method === 'HEAD') return textAnswer(404, '404 page not found')
  const allowed = [...new Set(['GET', 'HEAD', ...methods])].sort()
  return textAnswer(405, 'Method Not Allowed', { Allow: allowed.join(', ') })
}

/** Whether what is percent-encoded in a path is so in full. */
function isEncoded(path: string): boolean {
  try {
    decodeURIComponent(path)
    return true
  } catch {
    return false
  }
}

/** Where the addresses that people type in lead: the pages are on the service's own site. */
const PAGES = { '/': '/', '/start': '/start', '/dashboard': '/dashboard.html', '/pricing': '/pricing.html' }

/** What `GET /llms.txt` says. */
export const FOR_MODELS = `# Instanode (a local stand-in)

Postgres databases and webhook receivers for agents. Without an account: 5 a day, each for 24 hours.

POST /db/new {"name":"..."}            a database: connection_url
POST /webhook/new {"name":"..."}       a receiver: receive_url takes deliveries, GET reads them back
GET /api/me/resources                  what the account owns (Authorization: Bearer TOKEN)
POST /api/me/claim {"token":"..."}     makes the account the owner
DELETE /api/me/resources/TOKEN         ends one; paid accounts only
GET /api/me/token                      mints a token for the account
GET /openapi.json                      all of it`

/** What the service says of itself: to probes, to people and to models. */
function aboutRoutes({ local }: RestKit): Route[] {
  const redirects = Object.entries(PAGES).map(
    ([path, page]): Route => ({
      method: 'GET',
      path,
      run: async ({ search }) =>
        emptyAnswer(302, { Location: `${siteUrl(page)}${search === '' ? '' : `?${search}`}` }),
    }),
  )
  return [
    {
      method: 'GET',
      path: '/healthz',
      async run() {
        return answer(200, { ok: true, service: 'instant-lite' })
      },
    },
    {
      method: 'GET',
      path: '/readyz',
      async run() {
        const checks = await local.readiness.check()
        const bad = Object.entries(checks).find(([, check]) => check !== 'ok')
        if (bad === undefined) return answer(200, { checks, ok: true })
        return answer(503, { checks, error: bad.join('_'), ok: false })
      },
    },
    { method: 'GET', path: '/llms.txt', run: async () => textAnswer(200, FOR_MODELS) },
    ...redirects,
  ]
}
