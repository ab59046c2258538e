import type { Request, RequestHandler, Response } from 'express'
import type { Clock } from '../../../shared/clock/clock.js'
import type { TokenBuckets } from '../../../shared/clock/token-buckets.js'
import { isUnavailable, Refusal } from '../../../shared/errors.js'
import { createApi } from '../../../shared/http/api.js'
import type { HttpHandler } from '../../../shared/http/listener.js'
import { type Operation, operation, queryTextOf } from '../../../shared/http/operation.js'
import type { Instance } from '../../../shared/instance.js'
import { siteUrl } from '../domain/model.js'
import { ServiceRefusal } from '../domain/refusals.js'
import { BODY_LIMIT, type RequestLimit } from '../limits.js'
import { sendEmpty, sendFailure, sendGoJson, sendPlainText, sendUnavailable } from './answer.js'
import { addressOf, CallerResolver, type RestContext } from './context.js'
import { receiveOperations } from './receive.js'
import { accountOperations, provisionOperations, resourceOperations } from './resources.js'
import * as schema from './schemas.js'

/** The origin of the real service's web site. Its pages may call the stand-in from a browser. */
const SITE_ORIGIN = 'https://instanode.dev'

/** The origins whose pages may send a session cookie to the real service, by its CORS headers. */
const TRUSTED_ORIGINS = [SITE_ORIGIN, 'http://localhost:5173', 'http://localhost:3000']

const ALLOWED_METHODS = 'POST, GET, OPTIONS, PUT, DELETE'
const ALLOWED_HEADERS = 'Authorization, Content-Type, X-CSRF-Token, X-Requested-With'

/** Sets the CORS headers of an answer, as the real service does. */
function setCorsHeaders({ headers: { origin } }: Request, response: Response): void {
  response.setHeader('Access-Control-Allow-Methods', ALLOWED_METHODS)
  response.setHeader('Access-Control-Allow-Headers', ALLOWED_HEADERS)
  if (origin === undefined) response.setHeader('Access-Control-Allow-Origin', '*')
  else if (TRUSTED_ORIGINS.includes(origin)) {
    response.setHeader('Access-Control-Allow-Origin', origin)
    response.setHeader('Access-Control-Allow-Credentials', 'true')
    response.setHeader('Vary', 'Origin')
  }
}

export interface RestOptions extends Pick<RestContext, 'local' | 'service' | 'contract'> {
  instance: Instance
  /** The limit of the requests of one address. Undefined: no limit. */
  requestLimit: RequestLimit | undefined
  /** Counts the requests of each address. Undefined: no limit. */
  requests: TokenBuckets | undefined
  /** The URL at which clients reach the server, `http://host:port`. */
  url: string
}

/** Creates the HTTP API of the service. */
export function createRest(options: RestOptions): HttpHandler {
  const { instance, local, service, contract, requestLimit, requests, url } = options
  const { name, stamp, journal, clock, log } = instance
  const callers = new CallerResolver(local.accounts)
  const context: RestContext = { local, service, callers, contract, clock, log }
  const requestIdOf = requestIdSource(clock)
  const operations: Operation[] = [
    ...receiveOperations(context),
    ...provisionOperations(context),
    ...resourceOperations(context),
    ...accountOperations(context),
    ...aboutOperations(context, url, () => operations),
  ]
  return createApi({
    name: 'instanode',
    operations,
    journal,
    stamp: stamp ? name : undefined,
    origins: [SITE_ORIGIN],
    bodyLimit: BODY_LIMIT,
    rateLimit: rateLimiter(requestLimit, requests),
    setHeaders(request, response) {
      setCorsHeaders(request, response)
      response.setHeader('X-Request-ID', requestIdOf())
      // The real service closes the connection, because it does not read the rest of the body.
      if (request.bodyTooLarge) response.setHeader('Connection', 'close')
    },
    callerOf: request => callers.nameOf(request),
    send: (response, value) => sendGoJson(response, response.statusCode, value),
    reject(error, request, response, next) {
      // The router throws a URIError for a path that it cannot decode.
      if (error instanceof URIError) notFound(request, response, next)
      else if (error instanceof ServiceRefusal) {
        const { status, code, message, upgradeUrl } = error
        sendFailure(
          response,
          status,
          code,
          message,
          upgradeUrl === undefined ? {} : { upgrade_url: upgradeUrl },
        )
      } else if (error instanceof Refusal && error.code === 'forbidden') {
        sendFailure(response, 403, error.code, error.reason)
      } else if (isUnavailable(error)) sendUnavailable(response, error)
      else {
        log.error(`${request.method} ${request.path} failed`, error)
        const message = 'the server could not answer the request: look for the error in the log of the server'
        sendFailure(response, 500, 'internal_error', message)
      }
    },
    notFound,
  })
}

/**
 * Creates a source of request ids. An id is the time of the clock in nanoseconds, as in the real service. The
 * string of the last millisecond is kept, because building it for every request costs time.
 */
function requestIdSource(clock: Clock): () => string {
  let instant = Number.NaN
  let id = ''
  return () => {
    const now = clock.now()
    if (now !== instant) {
      instant = now
      id = `${now}000000`
    }
    return id
  }
}

/**
 * Returns a function that takes a request from its address's bucket. The function returns a refusal if the
 * bucket is empty.
 */
function rateLimiter(
  limit: RequestLimit | undefined,
  buckets: TokenBuckets | undefined,
): (request: Request) => Refusal | undefined {
  if (limit === undefined || buckets === undefined) return () => undefined
  const { atOnce, perSecond } = limit
  const message =
    `this address has sent more than ${atOnce} requests at once or ${perSecond} a ` +
    'second: wait a second and try again'
  const refusal = new ServiceRefusal(429, 'too_many_requests', message)
  return request => (buckets.take(addressOf(request)) ? undefined : refusal)
}

/**
 * Answers a path or method without an operation as the real service does: 200 for OPTIONS, 400 for a path that
 * cannot be decoded, 404 for GET and HEAD, and 405 for other methods.
 */
const notFound: RequestHandler = ({ method, path, allowedMethods }, response) => {
  if (method === 'OPTIONS') sendEmpty(response, 200)
  else if (!isDecodable(path)) sendPlainText(response, 400, '400 Bad Request')
  else if (method === 'GET' || method === 'HEAD') sendPlainText(response, 404, '404 page not found')
  else {
    const allowed = [...new Set(['GET', 'HEAD', ...allowedMethods])].sort()
    sendPlainText(response, 405, 'Method Not Allowed', { Allow: allowed.join(', ') })
  }
}

/** Returns whether the percent encoding of a path can be decoded. */
function isDecodable(path: string): boolean {
  try {
    decodeURIComponent(path)
    return true
  } catch {
    return false
  }
}

/** Paths that redirect to the web site of the real service, and the page that each redirects to. */
const PAGES = { '/': '/', '/start': '/start', '/dashboard': '/dashboard.html', '/pricing': '/pricing.html' }

/** The text of `GET /llms.txt`, for language models. */
export const FOR_MODELS = `# Instanode (a local stand-in)

Postgres databases and webhook receivers for agents. Without an account: 5 a day, each for 24 hours.

POST /db/new {"name":"..."}            a database: connection_url
POST /webhook/new {"name":"..."}       a receiver: POST to its receive_url, and GET what was sent
GET /api/me/resources                  the resources of the account (Authorization: Bearer TOKEN)
POST /api/me/claim {"token":"..."}     makes the account the owner of a resource
DELETE /api/me/resources/TOKEN         deletes a resource (paid accounts only)
GET /api/me/token                      mints an account token
GET /openapi.json                      the whole API`

/** The meaning of each HTTP status in the OpenAPI document. */
const MEANINGS: Readonly<Record<number, string>> = {
  200:
    'The request has succeeded. A creation that answers 200 in place of 201 returns an existing resource, ' +
    'because the daily cap is reached',
  302: 'The page is at the URL in the Location header',
  400: 'The request is not valid',
  401: 'The account token is missing, malformed, expired or forged',
  403: 'Only a paid account can do this',
  404: 'The resource does not exist, or another account owns it',
  410: 'The resource has expired or was deleted',
  413: 'The body is too large',
  429: 'The daily cap or the request limit is reached',
  503: 'The service cannot do this now',
}

/**
 * The routes that describe the service: health, readiness, the OpenAPI document, the text for models, and
 * redirects to the web site.
 */
function aboutOperations({ local }: RestContext, url: string, all: () => readonly Operation[]): Operation[] {
  let document: Promise<object> | undefined
  return [
    operation({
      method: 'GET',
      path: '/healthz',
      summary: 'Check that the process runs',
      answer: schema.health,
      run: () => ({ ok: true, service: 'instant-lite' }) as const,
    }),
    operation({
      method: 'GET',
      path: '/readyz',
      summary: 'Check that the databases and the store answer',
      answer: schema.readiness,
      others: { 503: schema.readiness },
      async run(_request, response) {
        const checks = await local.readiness.check()
        const failed = Object.entries(checks).find(([, check]) => check !== 'ok')
        if (failed === undefined) return { checks, ok: true }
        response.status(503)
        return { checks, error: failed.join('_'), ok: false }
      },
    }),
    operation({
      method: 'GET',
      path: '/openapi.json',
      summary: 'Get this document',
      answer: 'application/json',
      async run(_request, response) {
        document ??= import('../../../shared/http/openapi.js').then(({ openApi }) =>
          openApi(all(), {
            info: {
              title: 'Instanode (a local stand-in)',
              // The version of the API in the document of the real service.
              version: '0.1.0',
              description: 'Postgres databases and webhook receivers for agents.',
            },
            url,
            error: schema.errorBody,
            meanings: MEANINGS,
            components: {
              securitySchemes: {
                bearerAuth: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
                sessionCookie: { type: 'apiKey', in: 'cookie', name: 'session' },
              },
            },
          }),
        )
        sendGoJson(response, 200, await document, { 'Cache-Control': 'public, max-age=3600' })
      },
    }),
    operation({
      method: 'GET',
      path: '/llms.txt',
      summary: 'Get a short description of the API',
      answer: 'text/plain',
      run: (_request, response) => sendPlainText(response, 200, FOR_MODELS),
    }),
    ...Object.entries(PAGES).map(([path, page]) =>
      operation({
        method: 'GET',
        path,
        summary: `Redirect to the page ${page} of the web site`,
        status: 302,
        run(request, response) {
          const search = queryTextOf(request)
          sendEmpty(response, 302, { Location: `${siteUrl(page)}${search === '' ? '' : `?${search}`}` })
        },
      }),
    ),
  ]
}
