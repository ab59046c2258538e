import { closestName } from '../../../shared/util/closest-name.js'
import { defined } from '../../../shared/util/defined.js'
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

/** Returns the findings about a policy for its author: first the warnings, then the notes. */
export function reviewPolicy({ policy, warnings }: PolicyReading): Warning[] {
  const found = [
    ...warnings,
    ...unknownTools(policy),
    ...deadRules(policy),
    ...leftOpen(policy),
    ...seemingReads(policy),
    ...reviewConditions(policy),
    ...reviewLimits(policy),
    ...secrets(policy),
    ...productHoles(policy),
  ]
  return found.toSorted((a, b) => Number(a.level === 'note') - Number(b.level === 'note'))
}

/**
 * Warns of unknown tools. An unknown tool is not an error, because the gateway may protect another server.
 */
function unknownTools({ tools, hide }: Policy): Warning[] {
  return [...new Set([...tools.keys(), ...hide])]
    .filter(tool => tool !== '*' && knownTool(tool) === undefined)
    .map(tool => {
      const near = closestName(tool, Object.keys(KNOWN_TOOLS))
      const meant = near === undefined ? '' : `; ${near} is probably meant`
      return warning(
        'unknown_tool',
        `${tool} is no tool of Instanode or Safebot${meant}`,
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
      warning('hidden_rules', `${tool} is hidden: its rules are never asked`, tool, lineOf(rules)),
    )
  const [first] = everyTool
  if (first === undefined || policy.default === 'allow' || tools.size > 0) return [...hidden, ...behind]
  const message = 'No tool is named and the default is deny: rules for every tool do not let one through'
  return [...hidden, ...behind, warning('nothing_allowed', message, undefined, first.line)]
}

/** Warns of rules that come after a rule that denies every call. */
function rulesBehindDeny(tool: string, rules: readonly Rule[]): Warning[] {
  const deny = rules.findIndex(alwaysDenies)
  const [next] = deny < 0 ? [] : rules.slice(deny + 1)
  if (next === undefined) return []
  const message = `${tool}: the rule ${JSON.stringify(next.name)} is never asked, since line ${rules[deny]?.line} denies every call`
  return [warning('rules_behind_deny', message, tool, next.line)]
}

function leftOpen(policy: Policy): Warning[] {
  if (policy.default === 'deny') return []
  const open = toolsOf(policy).filter(
    tool => !policy.tools.has(tool) && ['allowed', 'limited'].includes(explainTool(policy, tool).verdict),
  )
  if (open.length === 0) return []
  const why = policy.defaultWritten ? 'the default is allow' : 'no default is written, which is read as allow'
  return [
    warning('tools_left_open', `${open.join(', ')}: open, since ${why}, as is whatever a server adds later`),
  ]
}

/** Warns of tools that change something although their names look like reads. */
function seemingReads(policy: Policy): Warning[] {
  return explainPolicy(policy).flatMap(({ tool, verdict }) => {
    const seems = knownTool(tool)?.seemsRead
    if (seems === undefined || verdict !== 'allowed') return []
    return [
      warning('read_that_writes', `${tool} reads like a read and ${seems}: every call is let through`, tool),
    ]
  })
}

/** Reports each secret in arguments or results, with the tools that carry the secret. */
function secrets(policy: Policy): Warning[] {
  const tools = new Map<string, string[]>()
  for (const { tool, verdict } of explainPolicy(policy)) {
    const secret = knownTool(tool)?.secretIn
    if (secret === undefined || verdict === 'hidden' || verdict === 'denied') continue
    for (const [way, what] of Object.entries(secret)) {
      const passes = `${way === 'results' ? 'Results' : 'Arguments'} carry ${what}`
      tools.set(passes, [...(tools.get(passes) ?? []), tool])
    }
  }
  return [...tools].map(([passes, names]) => {
    const unseen = passes.startsWith('Results') ? '; no rule looks at results' : ''
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
 * Reports the known weaknesses of the product for which a policy was written. The reference gateway does not
 * have most of them.
 */
function productHoles(policy: Policy): Warning[] {
  const rules = [...[...policy.tools.values()].flat(), ...policy.everyTool]
  const limits = rules.flatMap(({ demand }) => (demand.kind === 'limit' ? [demand.limit] : []))
  const fromArguments = limits.some(({ amount }) => typeof amount !== 'number')
  const found: [code: string, applies: boolean, message: string][] =
    policy.dialect === 'policylayer'
      ? [
          [
            'order_unpublished',
            hasSeveralKinds(policy),
            'PolicyLayer does not say in which order require, deny_if and limits are judged: here in this one',
          ],
          [
            'fixed_windows',
            limits.length > 0,
            'Windows are read as fixed ones: around the turn of one, twice the limit can pass',
          ],
        ]
      : [
          [
            'non_object_arguments',
            true,
            'Intercept forwards calls whose arguments are a list or a text without judging them; here they are denied',
          ],
          [
            'batches',
            true,
            'Intercept in front of a stdio child forwards JSON-RPC batches without judging them',
          ],
          [
            'gzip',
            policy.hide.length > 0,
            'Intercept over HTTP does not see into gzip: hidden tools are listed to a client that accepts it',
          ],
          [
            'reload',
            true,
            'Intercept does not notice a policy file that was replaced by renaming, as many editors do: it goes on with the old one',
          ],
          [
            'negative_amounts',
            fromArguments,
            'Intercept takes negative amounts from arguments: a call can give itself quota; here it is denied',
          ],
          [
            'late_refund',
            limits.length > 0,
            'Intercept gives quota back to whichever window it is by then; here only to the one it was taken from',
          ],
          [
            'shared_counters',
            limits.length > 0,
            'Intercept counts under --state-dir by the name of the tool: two policies of one user share their counts',
          ],
          [
            'fixed_windows',
            limits.length > 0,
            'Windows are fixed: around the turn of one, twice the limit can pass',
          ],
        ]
  return found.filter(([, applies]) => applies).map(([code, , message]) => ({ code, level: 'note', message }))
}

function hasSeveralKinds({ tools }: Policy): boolean {
  const kindsOf = (rules: readonly Rule[]) => new Set(rules.map(({ demand }) => demand.kind))
  return [...tools.values()].some(rules => kindsOf(rules).size > 1)
}

/**
 * The daily limit of Instanode for callers without an account. A test compares it with Instanode's limits.
 */
export const DAILY_PROVISIONS = 5

const PROVISIONING = ['create_postgres', 'create_webhook']

/** Reviews limits: finds limits that are never reached, and limits above those of the service. */
function reviewLimits(policy: Policy): Warning[] {
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
      message: `${tool}: ${rate(limit)} is more than the ${DAILY_PROVISIONS} a day that the service gives a caller without an account`,
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

/** Reviews the conditions of a policy on the arguments of tools. */
function reviewConditions(policy: Policy): Warning[] {
  return [...policy.tools].flatMap(([tool, rules]) => {
    const known = knownTool(tool)
    const ofArguments = known === undefined ? [] : rules.flatMap(rule => unfitting(tool, known, rule))
    return [...ofArguments, ...rules.flatMap(rule => unanchored(tool, rule)), ...contradictions(tool, rules)]
  })
}

/** Warns of conditions that do not fit the arguments of a known tool. */
function unfitting(tool: string, known: KnownTool, { demand, line }: Rule): Warning[] {
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
      const meant = near === undefined ? `it has ${all.join(', ') || 'none'}` : `${near} is probably meant`
      return say('unknown_argument', `there is no argument ${argument}; ${meant}`)
    }
    if (op === 'exists') return []
    if (COMPARISONS.includes(op) && known.numbers?.includes(argument) !== true) {
      const effect = requires ? 'every call is denied' : 'no call is denied'
      return say('compares_text', `${argument} is no number, so ${op} never holds for it: ${effect}`)
    }
    if (!known.optional.includes(argument)) return []
    return requires
      ? say('optional_made_mandatory', `a call that leaves ${argument} out is denied: ${op} fails without it`)
      : say(
          'passes_without',
          `a call that leaves ${argument} out is not denied: ${op} fails without it`,
          'note',
        )
  })
}

const COMPARISONS: readonly Condition['op'][] = ['lt', 'lte', 'gt', 'gte']

/** Warns of patterns that also match if other text precedes or follows them. */
function unanchored(tool: string, { demand, line }: Rule): Warning[] {
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
 * Warns of conditions that no argument can satisfy together: bounds without a number between them, or two
 * different values.
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
