import { cut, shown } from '../../../shared/util/shown.js'
import { APPROVALS_SINCE, approvalTerms, readApprovals, readSpend } from './approval-parts.js'
import { type CounterFinder, readConditions } from './conditions.js'
import {
  buildPolicy,
  readSharedKeys,
  readTools,
  readVersion,
  refuseDuplicateLimits,
} from './dialect-parts.js'
import type { Fields, Place } from './located-value.js'
import {
  type Amount,
  type Condition,
  type Demand,
  INCALCULABLE,
  type Limit,
  limitReached,
  type Policy,
  type Rule,
  WINDOW_NAMES,
  WINDOWS,
  type WindowName,
} from './model.js'
import { entryOf, type Located, plain } from './problems.js'

const STATE_KEYS = ['counter', 'window', 'increment', 'increment_from'] as const

/** The name that replaces the tool `*` in the path of a counter. */
const GLOBAL = '_global'

const RULE_KEYS = [
  'name',
  'action',
  'conditions',
  'on_deny',
  'state',
  'rate_limit',
  'approval_timeout',
  'spend',
] as const

/**
 * The values of `action`. `approve` exists only in this project. `require_approval` is Intercept's own, since
 * intercept@2026-04.
 */
const ACTIONS = ['evaluate', 'deny', 'require_approval', 'approve'] as const

const ROOT_KEYS = ['version', 'description', 'default', 'hide', 'tools', 'approvals', 'spend'] as const
const TOOL_KEYS = ['rules', 'spend'] as const

/** Values of the whole policy that the readers of its rules need. */
interface PolicyContext {
  readonly counters: CounterFinder
  /** Milliseconds in which an identical call gets the same approval, not a new one. */
  readonly dedupeMs: number
}

/**
 * Reads an Intercept policy. An unknown key is refused, although Intercept ignores it.
 *
 * @returns undefined if the text is not a map. The problem is then reported
 */
export function readIntercept(root: Place): Policy | undefined {
  const fields = root.fields(ROOT_KEYS)
  if (fields === undefined) return undefined
  readVersion(fields.require('version', 'write version: "1"'), true)
  const head = readSharedKeys(fields)
  const context = {
    counters: counterFinder(root.node),
    dedupeMs: readApprovals(fields.get('approvals')),
  }
  const { tools, everyTool } = readTools(
    fields.get('tools'),
    (tool, place) => readRules(tool, place, context),
    true,
  )
  const spend = readSpendRule(fields.get('spend'), 'spend')
  return buildPolicy('intercept', root.findings.version, head, { tools, everyTool: [...everyTool, ...spend] })
}

function readSpendRule(place: Place | undefined, name: string, message?: string): Rule[] {
  if (place === undefined) return []
  const demand = readSpend(place)
  return [{ name, message: message ?? `Denied by rule ${JSON.stringify(name)}`, line: place.line, demand }]
}

/** Reads the rules of one tool. Like Intercept, accepts a tool without a value, which has no rules. */
function readRules(tool: string, place: Place, context: PolicyContext): Rule[] {
  if (place.plain() === null) return []
  const fields = place.fields(TOOL_KEYS)
  const spend = readSpendRule(fields?.get('spend'), `${tool} spend`)
  const list = fields?.get('rules')
  if (list === undefined || list.plain() === null) return spend
  const items = list.items('write a list of rules, or [] for no rules') ?? []
  const read = items.map(item => ({ place: item, rules: readRule(item, tool, context) }))
  warnOfSameNames(items)
  refuseDuplicateLimits(
    read.flatMap(({ place, rules }) => rules.map(rule => ({ place, rule }))),
    read.flatMap(({ place, rules }) => {
      const counter = entryOf(entryOf(place.node, 'state'), 'counter')
      if (counter === undefined || rules.some(({ demand }) => demand.kind === 'limit')) return []
      return [{ place, counter: `state.${scopeOf(tool)}.${plain(counter)}` }]
    }),
  )
  return [...read.flatMap(({ rules }) => rules), ...spend]
}

/**
 * Warns of rules with the same name. Denials, the audit and approvals identify a rule by its name.
 */
function warnOfSameNames(rules: readonly Place[]): void {
  const lines = new Map<string, number>()
  for (const place of rules) {
    const name = entryOf(place.node, 'name')
    if (name?.kind !== 'scalar' || typeof name.value !== 'string') continue
    const line = lines.get(name.value)
    if (line === undefined) lines.set(name.value, place.line)
    else
      place.warn(
        'duplicate_rule_name',
        `has the same name as the rule in line ${line}, so a denial does not show which rule denied the call`,
      )
  }
}

type RuleFields = Fields<(typeof RULE_KEYS)[number]>

/** Reads one rule. If it has a limit and other conditions, returns one rule for each of the two. */
function readRule(place: Place, tool: string, context: PolicyContext): Rule[] {
  const fields = place.fields(RULE_KEYS)
  if (fields === undefined) return []
  const name = fields.require('name', 'add a name, which denials show')?.text() ?? ''
  const onDeny = fields.get('on_deny')?.text()
  const rule = (demand: Demand, message = `Denied by rule ${JSON.stringify(name)}`): Rule => ({
    name,
    message: onDeny ?? message,
    line: place.line,
    demand,
  })
  const spend = fields.get('spend')
  if (spend !== undefined) {
    refuseBeside(fields, ['action', 'conditions', 'state', 'rate_limit', 'approval_timeout'], 'spend')
    return readSpendRule(spend, name, onDeny)
  }
  const actionPlace = fields.get('action')
  const timeout = fields.get('approval_timeout')
  if (timeout !== undefined && actionPlace?.plain() !== 'require_approval') {
    timeout.refuse(
      'stands in a rule that requires no approval',
      'write action: require_approval, or remove it',
    )
  }
  if (fields.get('rate_limit') !== undefined) return rateLimitRules(fields, tool, rule)
  const action = actionPlace?.oneOf(ACTIONS, remedyForAction(actionPlace))
  switch (action) {
    case 'deny':
      refuseBeside(fields, ['conditions', 'state'], 'action: deny', 'the action is for every call')
      return [rule({ kind: 'deny' })]
    case 'approve':
      refuseBeside(fields, ['conditions', 'state'], 'action: approve', 'the action is for every call')
      place.warn(
        'own_approval',
        'requires an approval in a form that only this project has. The form of Intercept is action: require_approval',
        'note',
      )
      return [rule({ kind: 'approve', conditions: [] }, `Needs approval by rule ${JSON.stringify(name)}`)]
    case 'require_approval': {
      actionPlace?.needs(APPROVALS_SINCE, 'require_approval')
      refuseBeside(fields, ['state'], 'action: require_approval')
      const list = fields.get('conditions')
      const conditions = list === undefined ? [] : readConditions(list, context.counters)
      const intercept = approvalTerms(timeout, context.dedupeMs)
      return [
        rule({ kind: 'approve', conditions, intercept }, `Needs approval by rule ${JSON.stringify(name)}`),
      ]
    }
    default:
      return evaluateRules({ fields, tool, counters: context.counters, rule, name })
  }
}

function refuseBeside(
  fields: RuleFields,
  keys: readonly (typeof RULE_KEYS)[number][],
  beside: string,
  why?: string,
): void {
  for (const key of keys) {
    const remedy = `remove one of the two${why === undefined ? '' : `: ${why}`}`
    fields.get(key)?.refuse(`stands beside ${beside}`, remedy)
  }
}

interface EvaluateOptions {
  fields: RuleFields
  tool: string
  counters: CounterFinder
  rule(demand: Demand, message?: string): Rule
  name: string
}

function evaluateRules({ fields, tool, counters, rule, name }: EvaluateOptions): Rule[] {
  const place = fields.require('conditions', 'a rule needs conditions, unless it has action: deny')
  if (place === undefined) return []
  const conditions = readConditions(place, counters)
  if (place.node.kind === 'list' && place.node.items.length === 0) {
    place.mismatch('a rule needs at least one condition, unless it has action: deny')
  }
  const state = fields.get('state')
  const counting = state === undefined ? undefined : readStateBlock(state, tool)
  if (state === undefined || counting === undefined) return [rule({ kind: 'require', conditions })]
  const { limit, rest } = limitAmong(conditions, counting, state)
  const needed = limit === undefined ? amountCondition(counting) : []
  return [
    ...(rest.length > 0 ? [rule({ kind: 'require', conditions: rest })] : []),
    ...(needed.length > 0
      ? [{ ...rule({ kind: 'require', conditions: needed }), message: INCALCULABLE }]
      : []),
    ...(limit === undefined ? [] : [rule({ kind: 'limit', limit }, `Rate limit exceeded for ${name}`)]),
  ]
}

/**
 * Returns a condition that requires a valid amount in the arguments of a call. Intercept denies a call
 * without a valid amount, even if no limit uses the counter.
 */
function amountCondition({ amount }: StateBlock): Condition[] {
  if (typeof amount === 'number') return []
  const { keys, path } = amount
  return [{ subject: { from: 'args', keys }, path, op: 'gte', value: 0 }]
}

function rateLimitRules(
  fields: RuleFields,
  tool: string,
  rule: (demand: Demand, message?: string) => Rule,
): Rule[] {
  for (const key of ['conditions', 'state'] as const) {
    fields.get(key)?.refuse('stands beside rate_limit', 'remove one of the two, or write two rules')
  }
  const action = fields.get('action')
  if (action !== undefined && action.plain() !== 'evaluate') {
    action.refuse(`is ${JSON.stringify(action.plain())} beside rate_limit`, 'remove one of the two')
  }
  const place = fields.get('rate_limit')
  const read = place === undefined ? undefined : readShorthand(place)
  if (place === undefined || read === undefined || isUncountable(tool, place)) return []
  const windowMs = WINDOWS[read.window]
  const counter = `state.${scopeOf(tool)}._rate_${read.window}`
  const limit = { counter, windowMs, max: read.max, amount: 1, perGrant: false }
  return [rule({ kind: 'limit', limit }, limitReached(read.max, windowMs))]
}

function readStateBlock(place: Place, tool: string): StateBlock | undefined {
  return isUncountable(tool, place) ? undefined : readState(place, scopeOf(tool))
}

/** Returns true and reports a problem if Intercept cannot count the calls of a tool. */
function isUncountable(tool: string, place: Place): boolean {
  const remedy = countingProblem(tool)
  if (remedy !== undefined) place.refuse(`counts calls of ${shown(tool)}`, remedy)
  return remedy !== undefined
}

function countingProblem(tool: string): string | undefined {
  if (tool.includes('.')) {
    return 'Intercept cannot count the calls of a tool with a dot in its name, because it splits paths at dots'
  }
  return tool === GLOBAL
    ? 'Intercept uses this name for counters that count the calls of all tools'
    : undefined
}

function remedyForAction(place: Place | undefined): string | undefined {
  return place?.plain() === 'allow'
    ? 'to allow every call, write rules: []. The action allow exists only in the form of the tool pages, which has no version and no names'
    : undefined
}

/** Returns the name that stands for a tool in the paths of its counters. */
function scopeOf(tool: string): string {
  return tool === '*' ? GLOBAL : tool
}

/**
 * Returns a function that finds counters by their paths, `state.<tool>.<counter>`.
 *
 * @param root the whole policy, because a condition can name the counter of a later rule
 */
function counterFinder(root: Located): CounterFinder {
  const known = new Set<string>()
  const tools = entryOf(root, 'tools')
  for (const { key: tool, value } of tools?.kind === 'map' ? tools.entries : []) {
    const rules = entryOf(value, 'rules')
    for (const rule of rules?.kind === 'list' ? rules.items : []) {
      const counter = entryOf(entryOf(rule, 'state'), 'counter')
      if (counter !== undefined) known.add(`state.${scopeOf(tool)}.${plain(counter)}`)
      const shorthand = entryOf(rule, 'rate_limit')
      const window = shorthand === undefined ? undefined : String(plain(shorthand)).split('/')[1]
      if (window !== undefined) known.add(`state.${scopeOf(tool)}._rate_${window}`)
    }
  }
  return (path, place) => {
    if (known.has(path)) return path
    const all = known.size === 0 ? 'no rule has a state block' : `there are ${cut([...known].join(', '))}`
    return place.mismatch(`it must name the counter of a state block: ${all}`)
  }
}

/** A `state` block. The maximum of its counter is not in the block, but in a condition of the rule. */
interface StateBlock {
  path: string
  windowMs: number
  amount: Amount
}

/** Reads a `state` block. @param scope the name that stands for the tool in the path of the counter */
function readState(place: Place, scope: string): StateBlock | undefined {
  const fields = place.fields(STATE_KEYS)
  if (fields === undefined) return undefined
  const counter = fields.require('counter', 'add a name for the counter')?.text()
  const window = fields.require('window', `write one of ${WINDOW_NAMES.join(', ')}`)?.oneOf(WINDOW_NAMES)
  const amount = readAmount(fields)
  if (counter === undefined || window === undefined || amount === undefined) return undefined
  return { path: `state.${scope}.${counter}`, windowMs: WINDOWS[window], amount }
}

function readAmount(fields: Fields<(typeof STATE_KEYS)[number]>): Amount | undefined {
  const [from, by] = [fields.get('increment_from'), fields.get('increment')]
  if (from === undefined) return by === undefined ? 1 : by.wholeNumber(1)
  if (by !== undefined) by.refuse('stands beside increment_from', 'remove one of the two')
  const path = from.text()
  if (path === undefined) return undefined
  const keys = path.slice('args.'.length).split('.')
  if (!path.startsWith('args.') || keys.includes(''))
    return from.mismatch('write the path of an argument, e.g. args.amount')
  return { keys, path }
}

/**
 * Finds the limit of a rule. It is the condition with `lt` or `lte` on the counter of the rule's `state`
 * block. The count includes the call that is judged, so `lte 5` allows five calls and `lt 5` allows four.
 *
 * @returns the limit, and all other conditions
 */
function limitAmong(
  conditions: readonly Condition[],
  { path, windowMs, amount }: StateBlock,
  place: Place,
): { limit: Limit | undefined; rest: Condition[] } {
  const isLimit = (condition: Condition) =>
    condition.path === path && (condition.op === 'lt' || condition.op === 'lte')
  const [bound, second] = conditions.filter(isLimit)
  const rest = conditions.filter(condition => !isLimit(condition))
  if (second !== undefined) {
    place.refuse(`limits ${cut(path)} twice`, 'only the smaller limit has an effect: remove the other one')
  }
  if (bound === undefined) {
    place.warn(
      'counter_stands_still',
      `counts nothing: the rule counts calls in ${cut(path)} only if one of its conditions is lt or lte on this path`,
    )
    return { limit: undefined, rest }
  }
  const given = Number(bound.value)
  const max = Math.trunc(given) - (bound.op === 'lt' ? 1 : 0)
  if (!Number.isSafeInteger(given))
    place.warn('limit_cut', `limits to ${given}, which is rounded down to a whole number`)
  if (max < 1)
    place.warn('limit_of_none', `allows no call: the first call already exceeds ${bound.op} ${given}`)
  return { limit: { counter: path, windowMs, max, amount, perGrant: false }, rest }
}

/** Reads a limit such as `5/hour`. */
function readShorthand(place: Place): { max: number; window: WindowName } | undefined {
  const value = place.plain()
  const [, count = '', word] = typeof value === 'string' ? (/^(\d{1,15})\/(\w+)$/.exec(value) ?? []) : []
  const window = WINDOW_NAMES.find(name => name === word)
  const max = Number(count)
  if (window !== undefined && max >= 1) return { max, window }
  return place.mismatch(
    typeof value === 'object' && value !== null
      ? 'write it as in 10/minute. A rate_limit with max and window exists only in the form of the tool pages, which has no version and no names'
      : 'write it as in 30/minute, with minute, hour or day',
  )
}
