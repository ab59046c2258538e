import { handleOf } from '../stage/props.js'

/** Accounts of the stage: what callers show a gateway that passes their bearer on. */
const ACCOUNT_TOKENS = ['understudy-paid-token', 'understudy-paid-token-2'] as const

/**
 * The headers of a caller, for a gateway that is not ours.
 *
 * @param bearers what it knows its callers by, in the order of `names`; without any, they show tokens of accounts
 */
export function headersOf(
  as: string,
  names: readonly string[],
  bearers: readonly string[],
): Record<string, string> {
  const at = Math.max(0, names.indexOf(as))
  const token = bearers.length === 0 ? ACCOUNT_TOKENS[Math.min(at, 1)] : (bearers[at] ?? bearers[0])
  return { Authorization: `Bearer ${token}`, 'X-Safebot-Handle': handleOf(as) }
}
