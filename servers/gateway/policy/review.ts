import { closestName } from '../../../shared/util/closest-name.js'
import { defined } from '../../../shared/util/objects.js'
import { alwaysDenies, explainPolicy, explainTool, toolsOf } from './explain.js'
import { KNOWN_TOOLS, type KnownTool, knownTool } from './known-tools.js'
import {
  type Condition,
  type Limit,
  type Policy,
  type PolicyReading,
  type Rule,
  rate,
  type Warning,
} from './model.js'

/** Returns warnings and notes for the author of a policy. The warnings are first. */
export function reviewPolicy({ policy, warnings }: PolicyReading): Warning[] {
  const found = [
    ...warnings,
    ...unknownTools(policy),
    ...deadRules(policy),
    ...allowedByDefault(policy),
    ...readsThatWrite(policy),
    ...reviewConditions(policy),
    ...reviewLimits(policy),
    ...secrets(policy),
    ...productWeaknesses(policy),
  ]
  return found.toSorted((a, b) => Number(a.level === 'note') - Number(b.level === 'note'))
}

/**
 * Warns of unknown tools. They are not errors, because the policy can be for another server than the
 * stand-ins.
 */
function unknownTools({ tools, hide }: Policy): Warning[] {
  return [...new Set([...tools.keys(), ...hide])]
    .filter(tool => tool !== '*' && knownTool(tool) === undefined)
    .map(tool => {
      const near = closestName(tool, Object.keys(KNOWN_TOOLS))
      const hint = near === undefined ? '' : `; ${near} is probably meant`
      return warning(
        'unknown_tool',
        `${tool} is not a tool of Instanode or Safebot${hint}`,
        tool,
        lineOf(tools.get(tool)),
      )
    })
}

function deadRules(policy: Policy): Warning[] {
  const { tools, hide, everyTool } = policy
  const behind = [...tools, ['*', everyTool] as const].flatMap(([tool, rules]) =>
    rulesBehindDeny(tool, rules),
  )
  const hidden = [...tools]
    .filter(([tool, rules]) => rules.length > 0 && (hide.includes('*') || hide.includes(tool)))
    .map(([tool, rules]) =>
      warning('hidden_rules', `${tool} is hidden, so its rules have no effect`, tool, lineOf(rules)),
    )
  const [first] = everyTool
  if (first === undefined || policy.default === 'allow' || tools.size > 0) return [...hidden, ...behind]
  const message =
    'The policy names no tool and the default is deny, so every call is denied. Rules for every tool allow no call'
  return [...hidden, ...behind, warning('nothing_allowed', message, undefined, first.line)]
}

/** Warns of a rule after another rule that denies every call. The later rule has no effect. */
function rulesBehindDeny(tool: string, rules: readonly Rule[]): Warning[] {
  const deny = rules.findIndex(alwaysDenies)
  const [next] = deny < 0 ? [] : rules.slice(deny + 1)
  if (next === undefined) return []
  const message = `${tool}: the rule ${JSON.stringify(next.name)} has no effect, because line ${rules[deny]?.line} denies every call`
  return [warning('rules_behind_deny', message, tool, next.line)]
}

function allowedByDefault(policy: Policy): Warning[] {
  if (policy.default === 'deny') return []
  const open = toolsOf(policy).filter(
    tool => !policy.tools.has(tool) && ['allowed', 'limited'].includes(explainTool(policy, tool).verdict),
  )
  if (open.length === 0) return []
  const why = policy.defaultWritten ? 'the default is allow' : 'the policy has no default, which means allow'
  return [
    warning(
      'tools_left_open',
      `${open.join(', ')}: allowed, because ${why}. Tools that a server adds later are also allowed`,
    ),
  ]
}

/** Warns of allowed tools that change something, although their names suggest that they only read. */
function readsThatWrite(policy: Policy): Warning[] {
  return explainPolicy(policy).flatMap(({ tool, verdict }) => {
    const seems = knownTool(tool)?.seemsRead
    if (seems === undefined || verdict !== 'allowed') return []
    return [
      warning('read_that_writes', `${tool} looks like a read, but it ${seems}. Every call is allowed`, tool),
    ]
  })
}

/** Returns a note for each secret in arguments or results, with the allowed tools that contain the secret. */
function secrets(policy: Policy): Warning[] {
  const tools = new Map<string, string[]>()
  for (const { tool, verdict } of explainPolicy(policy)) {
    const secret = knownTool(tool)?.secretIn
    if (secret === undefined || verdict === 'hidden' || verdict === 'denied') continue
    for (const [way, what] of Object.entries(secret)) {
      const passes = `${way === 'results' ? 'Results' : 'Arguments'} contain ${what}`
      tools.set(passes, [...(tools.get(passes) ?? []), tool])
    }
  }
  return [...tools].map(([passes, names]) => {
    const unseen = passes.startsWith('Results') ? '. No rule can test results' : ''
    return { code: 'secret', level: 'note', message: `${passes}: ${names.join(', ')}${unseen}` }
  })
}

function lineOf(rules: readonly Rule[] | undefined): number | undefined {
  return rules?.[0]?.line
}

function warning(code: string, message: string, tool?: string, line?: number): Warning {
  return {
    code,
    level: 'warning',
    message,
    ...defined({ tool, line }),
  }
}

/**
 * Returns notes about known weaknesses of the product for which a policy was written. The built-in gateway
 * has only a few of them.
 */
function productWeaknesses(policy: Policy): Warning[] {
  const rules = [...[...policy.tools.values()].flat(), ...policy.everyTool]
  const limits = rules.flatMap(({ demand }) => (demand.kind === 'limit' ? [demand.limit] : []))
  const fromArguments = limits.some(({ amount }) => typeof amount !== 'number')
  const found: [code: string, applies: boolean, message: string][] =
    policy.dialect === 'policylayer'
      ? [
          [
            'order_unpublished',
            hasSeveralKinds(policy),
            'PolicyLayer does not publish the order of require, deny_if and limits. The built-in gateway judges them in this order',
          ],
          [
            'fixed_windows',
            limits.length > 0,
            'The built-in gateway uses fixed windows: up to twice the limit can pass shortly before and after the end of a window',
          ],
        ]
      : [
          [
            'non_object_arguments',
            true,
            'Intercept forwards calls whose arguments are a list or a string without judging them. The built-in gateway denies them',
          ],
          [
            'batches',
            true,
            'Intercept in front of a program on stdio forwards JSON-RPC batches without judging them',
          ],
          [
            'gzip',
            policy.hide.length > 0,
            'Intercept over HTTP does not decompress gzip: a client that accepts gzip gets hidden tools in lists',
          ],
          [
            'reload',
            true,
            'Intercept does not notice when a policy file is replaced by renaming, as many editors do. It continues with the old policy',
          ],
          [
            'negative_amounts',
            fromArguments,
            'Intercept accepts negative amounts in arguments, so a call can give itself quota. The built-in gateway denies such a call',
          ],
          [
            'late_refund',
            limits.length > 0,
            'Intercept gives quota back even if another window has begun. The built-in gateway does so only in the window of the call',
          ],
          [
            'shared_counters',
            limits.length > 0,
            'Intercept stores counts in --state-dir under the names of tools: two policies with the same directory share their counts',
          ],
          [
            'fixed_windows',
            limits.length > 0,
            'Windows are fixed: up to twice the limit can pass shortly before and after the end of a window',
          ],
        ]
  return found.filter(([, applies]) => applies).map(([code, , message]) => ({ code, level: 'note', message }))
}

function hasSeveralKinds({ tools }: Policy): boolean {
  const kindsOf = (rules: readonly Rule[]) => new Set(rules.map(({ demand }) => demand.kind))
  return [...tools.values()].some(rules => kindsOf(rules).size > 1)
}

/**
 * The number of resources that Instanode creates in a day for a caller without an account. A test compares it
 * with the limits of the stand-in.
 */
export const DAILY_PROVISIONS = 5

const PROVISIONING = ['create_postgres', 'create_webhook']

/** Warns of limits that are never reached, and notes limits that are above the limit of the service. */
function reviewLimits(policy: Policy): Warning[] {
  return [...policy.tools].flatMap(([tool, rules]) => [
    ...neverReached(tool, rules),
    ...(PROVISIONING.includes(tool) ? aboveServiceLimit(tool, rules) : []),
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
    const message = `${tool}: the limit of ${rate(limit)} is never reached, because another limit allows only ${rate(other.limit)}`
    return [{ code: 'limit_never_reached', level: 'warning', message, line, tool }]
  })
}

function aboveServiceLimit(tool: string, rules: readonly Rule[]): Warning[] {
  return limitsOf(rules)
    .filter(({ limit }) => limit.amount === 1 && limit.max > DAILY_PROVISIONS)
    .map(({ line, limit }) => ({
      code: 'above_daily_cap',
      level: 'note',
      message: `${tool}: the limit of ${rate(limit)} is above the service's own limit of ${DAILY_PROVISIONS} a day for callers without an account`,
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

/** Warns of conditions that look wrong. */
function reviewConditions(policy: Policy): Warning[] {
  return [...policy.tools].flatMap(([tool, rules]) => {
    const known = knownTool(tool)
    const ofArguments = known === undefined ? [] : rules.flatMap(rule => argumentProblems(tool, known, rule))
    return [
      ...ofArguments,
      ...rules.flatMap(rule => unanchoredPatterns(tool, rule)),
      ...contradictions(tool, rules),
    ]
  })
}

/** Warns of conditions on arguments that are unknown, are not numbers, or are optional. */
function argumentProblems(tool: string, known: KnownTool, { demand, line }: Rule): Warning[] {
  if (demand.kind !== 'require' && demand.kind !== 'forbid') return []
  const requires = demand.kind === 'require'
  return demand.conditions.flatMap(condition => {
    const { op } = condition
    const argument = condition.subject.from === 'args' ? condition.subject.keys[0] : undefined
    if (argument === undefined) return []
    const say = (code: string, message: string, level: Warning['level'] = 'warning'): Warning[] => [
      { code, level, message: `${tool}: ${message}`, line, tool },
    ]
    const all = [...known.required, ...known.optional]
    if (!all.includes(argument)) {
      const near = closestName(argument, all)
      const hint =
        near === undefined ? `its arguments are ${all.join(', ') || 'none'}` : `${near} is probably meant`
      return say('unknown_argument', `it has no argument ${argument}; ${hint}`)
    }
    if (op === 'exists') return []
    if (COMPARISONS.includes(op) && known.numbers?.includes(argument) !== true) {
      const effect = requires ? 'every call is denied' : 'no call is denied'
      return say('compares_text', `${argument} is not a number, so ${op} is never true: ${effect}`)
    }
    if (!known.optional.includes(argument)) return []
    return requires
      ? say(
          'optional_made_mandatory',
          `a call without ${argument} is denied, because ${op} is false for a missing argument`,
        )
      : say(
          'passes_without',
          `a call without ${argument} is not denied, because ${op} is false for a missing argument`,
          'note',
        )
  })
}

const COMPARISONS: readonly Condition['op'][] = ['lt', 'lte', 'gt', 'gte']

/** Warns of patterns without anchors. They also match if other text is in front of or after the match. */
function unanchoredPatterns(tool: string, { demand, line }: Rule): Warning[] {
  if (demand.kind !== 'require') return []
  return demand.conditions.flatMap(({ op, value, path }): Warning[] => {
    if (op !== 'regex' || typeof value !== 'string') return []
    const [begins, ends] = [/^(\(\?\w+\))?(\^|\\A)/.test(value), /(\$|\\z)$/.test(value)]
    if (begins && ends) return []
    const where = begins ? 'any text may follow it' : ends ? 'any text may precede it' : 'it matches anywhere'
    const message = `${tool}: the pattern for ${path} lacks ${begins ? '$' : ends ? '^' : '^ and $'}: ${where}`
    return [{ code: 'unanchored', level: begins || ends ? 'note' : 'warning', message, line, tool }]
  })
}

/**
 * Warns of conditions on one argument that cannot all be true. They have bounds without a number between
 * them, or require two different values.
 */
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
      const message = `${tool}: no call can pass, because the conditions on ${path} contradict each other`
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
