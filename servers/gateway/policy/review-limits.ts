import type { Limit, Policy, Rule, Warning } from './model.js'
import { rate } from './windows.js'

/** Of the service itself, for all that has no account: see Instanode's limits. A test holds them together. */
export const DAILY_PROVISIONS = 5

const PROVISIONING = ['create_postgres', 'create_webhook']

/** What looks wrong with limits: those that never come to count, and those that the service undercuts. */
export function reviewLimits(policy: Policy): Warning[] {
  return [...policy.tools].flatMap(([tool, rules]) => [
    ...neverReached(tool, rules),
    ...(PROVISIONING.includes(tool) ? aboveCap(tool, rules) : []),
  ])
}

function neverReached(tool: string, rules: readonly Rule[]): Warning[] {
  const limits = limitsOf(rules)
  return limits.flatMap(({ line, limit }) => {
    const other = limits.find(
      longer =>
        longer.limit.windowMs > limit.windowMs &&
        countsTheSame(longer.limit, limit) &&
        longer.limit.max <= limit.max,
    )
    if (other === undefined) return []
    const message = `${tool}: ${rate(limit)} is never reached, since ${rate(other.limit)} is all there is`
    return [{ code: 'limit_never_reached', level: 'warning', message, line, tool }]
  })
}

function aboveCap(tool: string, rules: readonly Rule[]): Warning[] {
  return limitsOf(rules)
    .filter(({ limit }) => limit.amount === 1 && limit.max > DAILY_PROVISIONS)
    .map(({ line, limit }) => ({
      code: 'above_daily_cap',
      level: 'note',
      message: `${tool}: ${rate(limit)} is more than the ${DAILY_PROVISIONS} a day that the service gives anybody without an account`,
      line,
      tool,
    }))
}

function countsTheSame(a: Limit, b: Limit): boolean {
  const of = ({ amount }: Limit) => (typeof amount === 'number' ? String(amount) : amount.path)
  return of(a) === of(b) && a.perGrant === b.perGrant
}

function limitsOf(rules: readonly Rule[]): { line: number; limit: Limit }[] {
  return rules.flatMap(({ line, demand }) => (demand.kind === 'limit' ? [{ line, limit: demand.limit }] : []))
}
