import { Refusal } from '../errors.js'
import type { Log } from '../util/log.js'
import type { HttpAnswer } from './routes.js'

/** The status of each refusal that is not told by the rule below. */
const STATUSES: Readonly<Record<string, number>> = {
  unknown_account: 404,
  unknown_entry: 404,
  unknown_snapshot: 404,
  unknown_approval: 404,
  no_such_server: 404,
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

/**
 * What cannot be read, or names what there is not, is a bad request; what can be and does not fit what is
 * now, a conflict.
 */
function statusOf({ code }: Refusal): number {
  return STATUSES[code] ?? (/^(bad|unknown)_/.test(code) ? 400 : 409)
}
