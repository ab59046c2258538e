import type { DialectVersion } from './dialect-version.js'
import type { Place } from './located-value.js'
import type { Demand, InterceptApproval } from './model.js'

/** The first version of Intercept's language with approvals and spend. */
export const APPROVALS_SINCE: DialectVersion = 'intercept@2026-04'

/**
 * Default duration in milliseconds: ten minutes, as in the example of Intercept's documentation, which states
 * no default.
 */
const DEFAULT_MS = 10 * 60_000

/** Maximum duration in milliseconds: one week. A longer duration is treated as a mistake. */
const MAX_MS = 7 * 86_400_000

/**
 * Units of Go's `time.ParseDuration`, in milliseconds. Smaller units are not accepted, because a call takes
 * longer.
 */
const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

const DURATION_REMEDY =
  'a duration of Go in quotes, more than nothing and a week at most: "10m", "1h30m", "90s"'

/**
 * Reads the block `approvals` of a policy of Intercept.
 *
 * @param place the block. Undefined if the policy has none
 * @returns the dedupe window, in milliseconds
 */
export function readApprovals(place: Place | undefined): number {
  place?.needs(APPROVALS_SINCE, 'the block approvals')
  const fields = place?.fields(['dedupe_window', 'notify'])
  const notify = fields?.get('notify')
  const webhook = notify?.fields(['webhook'])?.get('webhook')
  const url = webhook?.entries('it takes the key url')?.find(([key]) => key === 'url')
  if (webhook?.node.kind === 'map' && url === undefined) webhook.refuse('has no url', 'write one')
  url?.[1].text('the URL of the webhook')
  notify?.warn(
    'webhook_not_sent',
    'names a webhook: Intercept posts each request for an approval to it, and the reference gateway does not',
    'note',
  )
  return readDuration(fields?.get('dedupe_window'))
}

/** Returns the terms for a rule that requires an approval. */
export function approvalTerms(timeout: Place | undefined, dedupeMs: number): InterceptApproval {
  return { timeoutMs: readDuration(timeout), dedupeMs }
}

/** Reads a block `spend`. */
export function readSpend(place: Place): Extract<Demand, { kind: 'spend' }> {
  place.needs(APPROVALS_SINCE, 'the block spend')
  place.warn(
    'spend_not_enforced',
    'limits what is paid where an upstream answers with error -32042: the reference gateway does not start with it',
    'note',
  )
  const fields = place.fields(['per_call', 'daily'])
  const [perCall, daily] = [readPrice(fields?.get('per_call')), readPrice(fields?.get('daily'))]
  if (fields !== undefined && fields.found.size === 0)
    place.refuse('limits nothing', 'write per_call or daily')
  return { kind: 'spend', perCall, daily }
}

function readPrice(place: Place | undefined): number | undefined {
  const value = place?.plain()
  if (value === undefined || (typeof value === 'number' && value >= 0)) return value
  return place?.mismatch('a price, 0 or more, e.g. 0.50')
}

function readDuration(place: Place | undefined): number {
  if (place === undefined) return DEFAULT_MS
  const text = place.plain()
  if (typeof text === 'string' && /^(\d+(\.\d*)?(ms|s|m|h))+$/.test(text)) {
    const parts = [...text.matchAll(/(\d+(?:\.\d*)?)(ms|s|m|h)/g)]
    const ms = parts.reduce((sum, [, count, unit = '']) => sum + Number(count) * (UNITS_MS[unit] ?? 0), 0)
    if (ms >= 1 && ms <= MAX_MS) return Math.round(ms)
  }
  place.mismatch(DURATION_REMEDY)
  return DEFAULT_MS
}
