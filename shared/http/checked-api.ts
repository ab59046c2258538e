import type { OutgoingHttpHeaders } from 'node:http'
import type { Response } from 'express'
import { Refusal } from '../errors.js'
import type { Log } from '../util/log.js'
import { sendJson } from './answers.js'
import { createApi } from './api.js'
import { JSON_BODY_LIMIT } from './checked-operation.js'
import type { HttpHandler } from './listener.js'
import type { Operation } from './operation.js'

/**
 * Exceptions from the rule of {@link statusOf}. The key is the code of the refusal, the value is the HTTP
 * status.
 */
const STATUSES: Readonly<Record<string, number>> = {
  forbidden: 403,
  unknown_account: 404,
  unknown_entry: 404,
  unknown_snapshot: 404,
  unknown_approval: 404,
  unknown_route: 404,
  no_such_server: 404,
  method_not_allowed: 405,
  journal_wait: 408,
  body_too_large: 413,
  unreadable_world: 400,
  internal_error: 500,
  not_ready: 503,
  clock_closed: 503,
  instance_closed: 503,
  journal_stopped: 503,
  store_unavailable: 503,
  store_busy: 503,
}

/** The hint in an answer with status 400 if the refusal itself has no hint. */
const DEFAULT_HINT = 'GET /openapi.json describes the input of each route'

/** Headers of an answer with status 503. The value is in seconds. */
const RETRY_HEADERS = { 'Retry-After': '1' }

export interface CheckedApiOptions {
  /** Name of the API, e.g. `control`. */
  name: string
  operations: readonly Operation[]
  /** The hint for an unknown route, which says where the routes are listed. */
  hint: string
  log: Log
}

/**
 * Creates an HTTP API that belongs to this project and does not imitate a real service. Every error has the
 * form `{"error":{"code","message","hint"}}`. The journal does not record requests to such an API, because
 * the journal is only for requests to the stand-ins.
 */
export function createCheckedApi({ name, operations, hint, log }: CheckedApiOptions): HttpHandler {
  return createApi({
    name,
    operations,
    bodyLimit: JSON_BODY_LIMIT,
    send: (response, value) => sendJson(response, response.statusCode, value),
    reject(error, request, response, _next) {
      if (error instanceof Refusal) sendRefusal(response, error)
      // The router throws a URIError if it cannot decode a parameter of the path.
      else if (error instanceof URIError) sendRefusal(response, unknownRoute(request.path, hint))
      else {
        log.error(`a request to ${name} failed`, error)
        const reason = 'the request failed because of an internal error'
        sendRefusal(response, new Refusal('internal_error', reason, 'see the log'))
      }
    },
    notFound({ method, path, allowedMethods }, response) {
      if (allowedMethods.length === 0) return sendRefusal(response, unknownRoute(path, hint))
      const allow = (allowedMethods.includes('GET') ? [...allowedMethods, 'HEAD'] : allowedMethods).join(', ')
      const refusal = new Refusal('method_not_allowed', `${path} takes no ${method}`, `it takes ${allow}`)
      sendRefusal(response, refusal, { Allow: allow })
    },
  })
}

function unknownRoute(path: string, hint: string): Refusal {
  return new Refusal('unknown_route', `there is nothing at ${path}`, hint)
}

function sendRefusal(response: Response, refusal: Refusal, headers: OutgoingHttpHeaders = {}): void {
  const status = statusOf(refusal)
  const { code, reason: message, hint = status === 400 ? DEFAULT_HINT : null } = refusal
  const retry = status === 503 ? RETRY_HEADERS : {}
  sendJson(response, status, { error: { code, message, hint } }, { ...retry, ...headers })
}

/**
 * Returns the HTTP status of a refusal. A request that cannot be read or names something unknown gets 400. A
 * request that does not fit the current state gets 409.
 */
function statusOf({ code }: Refusal): number {
  return STATUSES[code] ?? (/^(bad|unknown)_/.test(code) ? 400 : 409)
}
