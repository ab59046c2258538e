import { statusOf } from '../../servers/control/statuses.js'
import { Refusal } from '../errors.js'
import type { Log } from '../util/log.js'
import type { HttpAnswer } from './routes.js'

const JSON_TYPE = 'application/json; charset=utf-8'

/** What is true now is not to be kept. */
const HEADERS = { 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' }

export function json(status: number, body: unknown, headers: Record<string, string> = {}): HttpAnswer {
  return text(status, JSON_TYPE, `${JSON.stringify(body)}\n`, headers)
}

/** @param type its media type */
export function text(
  status: number,
  type: string,
  body: string,
  headers: Record<string, string> = {},
): HttpAnswer {
  return { status, headers: { 'Content-Type': type, ...HEADERS, ...headers }, body }
}

/** The one form that every error has. */
export function failure(
  status: number,
  code: string,
  message: string,
  hint: string | null,
  headers: Record<string, string> = {},
): HttpAnswer {
  return json(status, { error: { code, message, hint } }, headers)
}

/** In seconds. */
const RETRY = { 'Retry-After': '1' }

/** What is wrong with a body or a query says where and why by itself. */
const WHERE_TO_LOOK = 'GET /openapi.json has what each route takes'

/** The answer to what a route has thrown: a refusal in its own words; of anything else only that it is ours. */
export function refused(error: unknown, log: Log): HttpAnswer {
  if (error instanceof Refusal) {
    const status = statusOf(error)
    const hint = error.hint ?? (status === 400 ? WHERE_TO_LOOK : null)
    return failure(status, error.code, error.reason, hint, status === 503 ? RETRY : {})
  }
  log.error('a request to the control plane failed', error)
  return failure(500, 'internal_error', 'something failed that the request could not mend', 'the log has it')
}
