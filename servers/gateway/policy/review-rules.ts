import { closestName } from '../../../shared/util/closest-name.js'
import { type KnownTool, knownTool } from './known-tools.js'
import { type Condition, type Limit, type Policy, type Rule, rate, type Warning } from './model.js'

/** Of the service itself, for all that has no account: see Instanode's limits. A test holds them together. */
export const DAILY_PROVISIONS = 5

const PROVISIONING = ['create_postgres', 'create_webhook']

/** What looks wrong with conditions on the arguments of the tools that are known. */
export function reviewConditions(policy: Policy): Warning[] {
  return [...policy.tools].flatMap(([tool, rules]) => {
    const known = knownTool(tool)
    const ofArguments = known === undefined ? [] : rules.flatMap(rule => unfitting(tool, known, rule))
    return [...ofArguments, ...contradictions(tool, rules)]
  })
}

function unfitting(tool: string, known: KnownTool, { demand, line }: Rule): Warning[] {
  if (demand.kind !== 'require' && demand.kind !== 'forbid') return []
  return demand.conditions.flatMap(condition => {
    const argument = condition.subject.from === 'args' ? condition.subject.keys[0] : undefined
    if (argument === undefined) return []
    const say = (code: string, message: string, level: Warning['level'] = 'warning'): Warning[] => [
      { code, level, message: `${tool}: ${message}`, line, tool },
    ]
    const all = [...known.required, ...known.optional]
    if (!all.includes(argument)) {
      const near = closestName(argument, all)
      const meant = near === undefined ? `it has ${all.join(', ') || 'none'}` : `${near} is probably meant`
      return say('unknown_argument', `there is no argument ${argument}; ${meant}`)
    }
    if (condition.op === 'exists') return []
    if (demand.kind === 'require') {
      const open = isOpen(condition)
        ? say(
            'unanchored',
            `the pattern for ${argument} matches anywhere in it: put it between ^ and $`,
            'note',
          )
        : []
      if (!known.optional.includes(argument)) return open
      return [
        ...say(
          'optional_made_mandatory',
          `a call that leaves ${argument} out is denied: ${condition.op} fails without it`,
        ),
        ...open,
      ]
    }
    if (!known.optional.includes(argument)) return []
    return say(
      'passes_without',
      `a call that leaves ${argument} out is not denied: ${condition.op} fails without it`,
      'note',
    )
  })
}

function isOpen({ op, value }: Condition): boolean {
  return (
    op === 'regex' &&
    typeof value === 'string' &&
    !(/^(\(\?\w+\))?(\^|\\A)/.test(value) && /(\$|\\z)$/.test(value))
  )
}

/** Bounds that leave no number between them, and two values that one argument is to have. */
function contradictions(tool: string, rules: readonly Rule[]): Warning[] {
  const bounds = new Map<string, { least: number; most: number; line: number }>()
  const values = new Map<string, Set<string>>()
  for (const { demand, line } of rules) {
    for (const { path, op, value } of demand.kind === 'require' ? demand.conditions : []) {
      const at = bounds.get(path) ?? { least: Number.NEGATIVE_INFINITY, most: Number.POSITIVE_INFINITY, line }
      bounds.set(path, { ...at, line })
      if (typeof value === 'number') bounds.set(path, { ...narrowed(at, op, value), line })
      if (op === 'eq') values.set(path, (values.get(path) ?? new Set()).add(JSON.stringify(value)))
    }
  }
  return [...bounds]
    .filter(([path, { least, most }]) => least > most || (values.get(path)?.size ?? 0) > 1)
    .map(([path, { line }]) => {
      const message = `${tool}: no call can pass, since the conditions on ${path} contradict one another`
      return { code: 'contradiction', level: 'warning', message, line, tool }
    })
}

function narrowed<Bounds extends { least: number; most: number }>(
  bounds: Bounds,
  op: Condition['op'],
  value: number,
): Bounds {
  if (op === 'lt' || op === 'lte') return { ...bounds, most: Math.min(bounds.most, value) }
  if (op === 'gt' || op === 'gte') return { ...bounds, least: Math.max(bounds.least, value) }
  return bounds
}

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
