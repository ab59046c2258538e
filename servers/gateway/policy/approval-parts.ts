import type { DialectVersion } from './dialect-version.js'
import type { Place } from './located-value.js'
import type { Demand, InterceptApproval } from './model.js'

/** The first version of Intercept's language that has `require_approval`, `approvals` and `spend`. */
export const APPROVALS_SINCE: DialectVersion = 'intercept@2026-04'

/**
 * Default duration in milliseconds. Intercept's documentation states no default. Its example has ten minutes.
 */
const DEFAULT_MS = 10 * 60_000

/** Maximum duration in milliseconds: one week. A longer duration is refused as a mistake. */
const MAX_MS = 7 * 86_400_000

/**
 * The units of Go's `time.ParseDuration`, in milliseconds. The units below a millisecond are not accepted,
 * because every call takes longer than that.
 */
const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

const DURATION_REMEDY = 'write a Go duration of at most one week in quotes, such as "10m", "1h30m" or "90s"'

/**
 * Reads the block `approvals` of an Intercept policy.
 *
 * @param place the block. Undefined if the policy has no such block
 * @returns the value of `dedupe_window` or its default, in milliseconds
 */
export function readApprovals(place: Place | undefined): number {
  place?.needs(APPROVALS_SINCE, 'the block approvals')
  const fields = place?.fields(['dedupe_window', 'notify'])
  const notify = fields?.get('notify')
  const webhook = notify?.fields(['webhook'])?.get('webhook')
  const url = webhook?.entries('write a map with the key url')?.find(([key]) => key === 'url')
  if (webhook?.node.kind === 'map' && url === undefined) webhook.refuse('has no url', 'add the key url')
  url?.[1].text('write the URL of the webhook')
  notify?.warn(
    'webhook_not_sent',
    'names a webhook. Intercept posts each approval request to the webhook, but the built-in gateway does not',
    'note',
  )
  return readDuration(fields?.get('dedupe_window'))
}

/** Returns the time limits for the approvals of a rule. @param timeout the value of `approval_timeout` */
export function approvalTerms(timeout: Place | undefined, dedupeMs: number): InterceptApproval {
  return { timeoutMs: readDuration(timeout), dedupeMs }
}

/** Reads a block `spend`. */
export function readSpend(place: Place): Extract<Demand, { kind: 'spend' }> {
  place.needs(APPROVALS_SINCE, 'the block spend')
  place.warn(
    'spend_not_enforced',
    'limits payments after error -32042 of an upstream. The built-in gateway refuses to start with such a policy',
    'note',
  )
  const fields = place.fields(['per_call', 'daily'])
  const [perCall, daily] = [readPrice(fields?.get('per_call')), readPrice(fields?.get('daily'))]
  if (fields !== undefined && fields.found.size === 0) place.refuse('limits nothing', 'add per_call or daily')
  return { kind: 'spend', perCall, daily }
}

function readPrice(place: Place | undefined): number | undefined {
  const value = place?.plain()
  if (value === undefined || (typeof value === 'number' && value >= 0)) return value
  return place?.mismatch('write a price, 0 or more, e.g. 0.50')
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
