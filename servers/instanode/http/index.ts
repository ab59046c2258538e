import type { Request, RequestHandler, Response } from 'express'
import type { Clock } from '../../../shared/clock/clock.js'
import type { TokenBuckets } from '../../../shared/clock/token-buckets.js'
import { isUnavailable, Refusal } from '../../../shared/errors.js'
import { createApi } from '../../../shared/http/api.js'
import type { HttpHandler } from '../../../shared/http/listener.js'
import { type Operation, operation, searchOf } from '../../../shared/http/operation.js'
import type { Instance } from '../../../shared/instance.js'
import { siteUrl } from '../domain/model.js'
import { ServiceRefusal } from '../domain/refusals.js'
import { BODY_LIMIT, type RequestLimit } from '../limits.js'
import { sendEmpty, sendFailure, sendGoJson, sendPlainText, sendUnavailable } from './answer.js'
import { addressOf, CallerResolver, type RestContext } from './context.js'
import { receiveOperations } from './receive.js'
import { accountOperations, provisionOperations, resourceOperations } from './resources.js'
import * as schema from './schemas.js'

/** The service's own pages. They may call the API with a session cookie from there. */
const SITE_ORIGIN = 'https://instanode.dev'

const TRUSTED_ORIGINS = [SITE_ORIGIN, 'http://localhost:5173', 'http://localhost:3000']

const ALLOWED_METHODS = 'POST, GET, OPTIONS, PUT, DELETE'
const ALLOWED_HEADERS = 'Authorization, Content-Type, X-CSRF-Token, X-Requested-With'

/** Sets the CORS headers of an answer. */
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
  /** Undefined: no limit. */
  requestLimit: RequestLimit | undefined
  /** Counts the requests of each address, if they are limited. */
  requests: TokenBuckets | undefined
  /** `http://host:port` as clients reach it. */
  url: string
}

/** The service's own HTTP API. */
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
      // The service reads no more of such a body.
      if (request.bodyTooLarge) response.setHeader('Connection', 'close')
    },
    callerOf: request => callers.nameOf(request),
    send: (response, value) => sendGoJson(response, response.statusCode, value),
    reject(error, request, response, next) {
      // The router could not decode a parameter of the path.
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
        const message = 'the request could not be carried out; the log of the server has it'
        sendFailure(response, 500, 'internal_error', message)
      }
    },
    notFound,
  })
}

/**
 * Returns a function that returns request ids. An id is the service's clock in nanoseconds. Its text is made
 * once a millisecond.
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

function rateLimiter(
  limit: RequestLimit | undefined,
  buckets: TokenBuckets | undefined,
): (request: Request) => Refusal | undefined {
  if (limit === undefined || buckets === undefined) return () => undefined
  const { atOnce, perSecond } = limit
  const message = `one address may make ${atOnce} requests at once and ${perSecond} a second: wait a moment`
  const refusal = new ServiceRefusal(429, 'too_many_requests', message)
  return request => (buckets.take(addressOf(request)) ? undefined : refusal)
}

/** Answers a path without an operation as Go's router does: a page for GET, 405 for other methods. */
const notFound: RequestHandler = ({ method, path, allowedMethods }, response) => {
  if (method === 'OPTIONS') sendEmpty(response, 200)
  else if (!isEncoded(path)) sendPlainText(response, 400, '400 Bad Request')
  else if (method === 'GET' || method === 'HEAD') sendPlainText(response, 404, '404 page not found')
  else {
    const allowed = [...new Set(['GET', 'HEAD', ...allowedMethods])].sort()
    sendPlainText(response, 405, 'Method Not Allowed', { Allow: allowed.join(', ') })
  }
}

/** Returns whether every percent-encoded character of a path is complete. */
function isEncoded(path: string): boolean {
  try {
    decodeURIComponent(path)
    return true
  } catch {
    return false
  }
}

/** Short addresses and the pages of the service's own site that they redirect to. */
const PAGES = { '/': '/', '/start': '/start', '/dashboard': '/dashboard.html', '/pricing': '/pricing.html' }

/** The text of `GET /llms.txt`. */
export const FOR_MODELS = `# Instanode (a local stand-in)

Postgres databases and webhook receivers for agents. Without an account: 5 a day, each for 24 hours.

POST /db/new {"name":"..."}            a database: connection_url
POST /webhook/new {"name":"..."}       a receiver: receive_url takes deliveries, GET reads them back
GET /api/me/resources                  what the account owns (Authorization: Bearer TOKEN)
POST /api/me/claim {"token":"..."}     makes the account the owner
DELETE /api/me/resources/TOKEN         ends one; paid accounts only
GET /api/me/token                      mints a token for the account
GET /openapi.json                      all of it`

/** The meaning of each HTTP status in the OpenAPI document. */
const MEANINGS: Readonly<Record<number, string>> = {
  200: 'Done. Of a creation: an existing one, because the cap of the day is used up',
  302: 'There',
  400: 'Something in the request is not in order',
  401: 'No account: missing, malformed, expired and forged credentials are one',
  403: 'For paid accounts only',
  404: 'There is no such thing, or not on this account',
  410: 'It has ended',
  413: 'Too large',
  429: 'The cap of the day is used up',
  503: 'It could not be done now, and nothing is left of it',
}

/** Describes the service: for probes, people and models. */
function aboutOperations({ local }: RestContext, url: string, all: () => readonly Operation[]): Operation[] {
  let document: Promise<object> | undefined
  return [
    operation({
      method: 'GET',
      path: '/healthz',
      summary: 'Is there a process?',
      answer: schema.health,
      run: () => ({ ok: true, service: 'instant-lite' }) as const,
    }),
    operation({
      method: 'GET',
      path: '/readyz',
      summary: 'Could it do its work?',
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
      summary: 'This document',
      answer: 'application/json',
      async run(_request, response) {
        document ??= import('../../../shared/http/openapi.js').then(({ openApi }) =>
          openApi(all(), {
            info: {
              title: 'Instanode (a local stand-in)',
              // The service's own version of its API.
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
      summary: 'The API in a few words',
      answer: 'text/plain',
      run: (_request, response) => sendPlainText(response, 200, FOR_MODELS),
    }),
    ...Object.entries(PAGES).map(([path, page]) =>
      operation({
        method: 'GET',
        path,
        summary: `To the site: ${page}`,
        status: 302,
        run(request, response) {
          const search = searchOf(request)
          sendEmpty(response, 302, { Location: `${siteUrl(page)}${search === '' ? '' : `?${search}`}` })
        },
      }),
    ),
  ]
}
