import type { Refusal } from '../../shared/errors.js'

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

/** What cannot be read, or names what there is not, is a bad request; what can be and does not fit what is now, a conflict. */
export function statusOf({ code }: Refusal): number {
  return STATUSES[code] ?? (/^(bad|unknown)_/.test(code) ? 400 : 409)
}
