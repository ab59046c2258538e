import express, { type Request } from 'express'
import { Refusal } from '../../../shared/errors.js'
import { createApi, keepRawBody } from '../../../shared/http/api.js'
import type { HttpHandler } from '../../../shared/http/listener.js'
import { type Operation, operation, paramOf } from '../../../shared/http/operation.js'
import type { Instance } from '../../../shared/instance.js'
import { VERSION } from '../../../shared/util/version.js'
import type { Contract } from '../contract.js'
import { type Identity, looseHandle } from '../domain/model.js'
import { noSuchHandle, ServiceRefusal } from '../domain/refusals.js'
import { BODY_LIMIT } from '../limits.js'
import { claimingOperations } from './claiming.js'
import { addressOf, fieldsOf, type RestContext } from './context.js'
import { messageOperations, readingOperations } from './messages.js'
import { presenceOperations } from './presence.js'
import * as schema from './schemas.js'

/** The headers of every answer, including event streams. The values are those of the real service. */
const SECURITY_HEADERS = {
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'X-Frame-Options': 'DENY',
  'Permissions-Policy': 'clipboard-read=(self), clipboard-write=(self)',
  'Content-Security-Policy': [
    "default-src 'self'",
    "script-src 'self' 'unsafe-inline'",
    "style-src 'self' 'unsafe-inline' https://fonts.googleapis.com",
    "font-src 'self' https://fonts.gstatic.com",
    "img-src 'self' data:",
    "connect-src 'self' ws: wss:",
    "frame-ancestors 'none'",
  ].join('; '),
}

const HEADERS = Object.entries(SECURITY_HEADERS)

export interface RestOptions extends Pick<RestContext, 'local' | 'limits'> {
  instance: Instance
  contract: Contract
  /** Origin of the server, for the OpenAPI document. */
  url: string
}

/** Settings with which Express 5 behaves as Express 4, which the real service uses. */
const EXPRESS_4 = {
  'case sensitive routing': false,
  'strict routing': false,
  etag: 'weak',
  'query parser': 'extended',
  // In this environment, Express shows errors in its HTML page and does not print them.
  env: 'test',
}

/** Error texts for a body that cannot be read, by the error type of the body parser. */
const BODY_ERRORS: Readonly<Record<string, string>> = {
  'entity.parse.failed': 'the body is not a JSON object or list: send a JSON object',
  'entity.too.large': `the body is larger than ${BODY_LIMIT} bytes: send a smaller one`,
  'charset.unsupported': 'the body is in an unsupported charset: send UTF-8',
  'encoding.unsupported': 'the body is in an unsupported content encoding: use gzip, deflate, br or none',
}

/** Creates the HTTP API of the service. */
export function createRest({ instance, local, limits, contract, url }: RestOptions): HttpHandler {
  const { name, stamp, journal, clock, machine, log } = instance
  const context: RestContext = { local, limits, clock, machine }
  const operations: Operation[] = [
    ...identityOperations(context),
    ...messageOperations(context),
    ...readingOperations(context),
    ...presenceOperations(context),
    ...claimingOperations(context),
    ...serviceOperations(context, url, () => operations),
  ]
  return createApi({
    name: 'safebot',
    operations,
    journal,
    stamp: stamp ? name : undefined,
    settings: EXPRESS_4,
    bodyLimit: BODY_LIMIT,
    parser: express.json({ limit: BODY_LIMIT, verify: keepRawBody }),
    setHeaders(_request, response) {
      for (const [header, value] of HEADERS) response.setHeader(header, value)
    },
    callerOf,
    send: (response, value) => response.json(value),
    reject(error, _request, response, next) {
      if (error instanceof ServiceRefusal) {
        const { status, body, retryAfterSeconds } = error
        if (retryAfterSeconds !== undefined) response.set('Retry-After', String(retryAfterSeconds))
        response.status(status).json(body)
      } else if (error instanceof Refusal) {
        if (error.code === 'forbidden') return void response.status(403).json({ error: error.reason })
        // All other refusals come from a server that closes, is reset, or has lost its store.
        response.status(503).set('Retry-After', '1').json({ error: error.reason })
      } else if (isHttpError(error)) {
        if (contract.answersErrorsInJson) {
          response.status(error.status).json({ error: BODY_ERRORS[error.type ?? ''] ?? error.message })
        } else {
          // Express prints the stack in its HTML page. This text replaces it.
          error.stack = String(error)
          next(error)
        }
      } else {
        log.error('a request failed with an unexpected error', error)
        response.status(500).json({ error: 'internal error' })
      }
    },
    notFound({ method, path, allowedMethods }, response, next) {
      if (method === 'OPTIONS' && allowedMethods.length > 0) {
        const verbs = allowedMethods.flatMap(allowed => (allowed === 'GET' ? ['GET', 'HEAD'] : [allowed]))
        const allow = [...new Set(verbs)].join(',')
        response.set('Allow', allow).send(allow)
      } else if (contract.answersErrorsInJson) {
        const error = `Cannot ${method} ${path}: MCP is at /mcp, the API under /api`
        response.status(404).json({ error })
      } else next()
    },
  })
}

/** Returns whether an error has an HTTP status. The errors of the body parser and the router have one. */
function isHttpError(error: unknown): error is Error & { status: number; type?: string } {
  return error instanceof Error && 'status' in error && typeof error.status === 'number'
}

/**
 * Returns the caller for the journal: the handle in the body, whose signature has not been checked yet.
 * `anonymous` if there is none.
 */
function callerOf(request: Request): string {
  const { handle, sender_handle } = fieldsOf(request)
  return looseHandle(handle ?? sender_handle) ?? 'anonymous'
}

/** The meaning of each HTTP status in the OpenAPI document. */
const MEANINGS: Readonly<Record<number, string>> = {
  400: 'A part of the request is invalid',
  401: 'The signature is bad or missing',
  403: 'The room accepts only signed messages',
  404: 'The handle or the room does not exist',
  409: 'The handle belongs to another key, or the claim is stale',
  413: 'The body is larger than 196,608 bytes',
  429: 'There were too many requests, or too many are waiting',
  503: 'The service is full, or is closing',
}

/** Describes the `Authorization` header in the OpenAPI document. */
const SIGNATURE =
  'SafeBot ts=<milliseconds>,n=<nonce>,sig=<base64>: Ed25519 over "<METHOD> <path and query> <ts> <nonce>"'

/**
 * Returns the routes that describe the service.
 *
 * @param all returns all routes, for the OpenAPI document
 */
function serviceOperations(
  { local, clock }: RestContext,
  url: string,
  all: () => readonly Operation[],
): Operation[] {
  const startedAt = clock.now()
  let document: Promise<object> | undefined
  return [
    operation({
      method: 'GET',
      path: '/api/health',
      summary: 'Check that the service is running',
      answer: schema.health,
      run: async () => ({ ok: true as const, rooms: (await local.store.usage()).rooms, ts: clock.now() }),
    }),
    operation({
      method: 'GET',
      path: '/api/status',
      summary: 'Get the start time and the number of rooms',
      answer: schema.serviceStatus,
      async run(_request, response) {
        response.set('Cache-Control', 'public, max-age=30')
        return {
          ok: true as const,
          started_at: startedAt,
          uptime_seconds: Math.floor((clock.now() - startedAt) / 1000),
          rooms: (await local.store.usage()).rooms,
          node_version: process.version,
        }
      },
    }),
    operation({
      method: 'GET',
      path: '/api/openapi.json',
      summary: 'Get this document',
      answer: 'application/json',
      run(_request, response) {
        response.set('Cache-Control', 'public, max-age=60')
        document ??= import('../../../shared/http/openapi.js').then(({ openApi }) =>
          openApi(all(), {
            info: {
              title: 'SafeBot.Chat (a local stand-in)',
              version: VERSION,
              description:
                'End-to-end encrypted rooms. Messages are delivered as tasks with a 60-second lease.',
            },
            url,
            error: schema.failed,
            meanings: MEANINGS,
            components: {
              securitySchemes: {
                safebot: { type: 'apiKey', in: 'header', name: 'Authorization', description: SIGNATURE },
              },
            },
          }),
        )
        return document
      },
    }),
  ]
}

/** Returns the routes that register a handle and look up a handle. */
function identityOperations(context: RestContext): Operation[] {
  const { identities, rates, store } = context.local
  return [
    operation({
      method: 'POST',
      path: '/api/identity/register',
      summary: 'Register a handle',
      body: schema.registration,
      answer: schema.registered,
      status: 201,
      refusals: [400, 401, 409, 413, 429, 503],
      async run(request) {
        const { handle, box_pub, sign_pub, register_ts, register_sig, meta } = fieldsOf(request)
        rates.spend(addressOf(request), 'register', 1)
        const identity = await identities.register({
          handle,
          boxPub: box_pub,
          signPub: sign_pub,
          ts: register_ts,
          sig: register_sig,
          meta,
        })
        return { ok: true as const, handle: identity.handle, registered_at: identity.registeredAt }
      },
    }),
    operation({
      method: 'GET',
      path: '/api/identity/:handle',
      summary: 'Look up a handle',
      answer: schema.identity,
      refusals: [404],
      async run(request) {
        const handle = paramOf(request, 'handle').replace(/^@/, '').toLowerCase()
        const identity = await store.identity(handle)
        if (identity === undefined) throw noSuchHandle(handle)
        return publicIdentity(identity)
      },
    }),
  ]
}

/** Returns an identity as the API shows it. */
function publicIdentity({ handle, boxPub, signPub, registeredAt, meta }: Identity) {
  return { handle, box_pub: boxPub, sign_pub: signPub, registered_at: registeredAt, meta }
}
