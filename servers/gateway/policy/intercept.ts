import { cut, shown } from '../../../shared/util/shown.js'
import { APPROVALS_SINCE, approvalTerms, readApprovals, readSpend } from './approval-parts.js'
import { type CounterFinder, readConditions } from './conditions.js'
import { openPolicy, readHead, readTools, readVersion, refuseDoubles } from './dialect-parts.js'
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

/** The scope in the paths of counters that belong to the tool `*`. */
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
 * The action `approve` exists only in this project. Intercept has `require_approval`, since
 * intercept@2026-04.
 */
const ACTIONS = ['evaluate', 'deny', 'require_approval', 'approve'] as const

const ROOT_KEYS = ['version', 'description', 'default', 'hide', 'tools', 'approvals', 'spend'] as const
const TOOL_KEYS = ['rules', 'spend'] as const

/** Values that all rules of a policy share. */
interface PolicyContext {
  readonly counters: CounterFinder
  /** Time in milliseconds in which the same call gets the pending approval again. */
  readonly dedupeMs: number
}

/**
 * Reads a policy of Intercept. Text that Intercept's own reader would ignore, such as an unknown key, is
 * refused.
 *
 * @returns undefined after a report, if the text is not a map
 */
export function readIntercept(root: Place): Policy | undefined {
  const fields = root.fields(ROOT_KEYS)
  if (fields === undefined) return undefined
  readVersion(fields.require('version', 'write version: "1"'), true)
  const head = readHead(fields)
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
  return openPolicy('intercept', root.findings.version, head, { tools, everyTool: [...everyTool, ...spend] })
}

function readSpendRule(place: Place | undefined, name: string, message?: string): Rule[] {
  if (place === undefined) return []
  const demand = readSpend(place)
  return [{ name, message: message ?? `Denied by rule ${JSON.stringify(name)}`, line: place.line, demand }]
}

/** Reads the rules of one tool. A tool without a value has no rules, as in Intercept. */
function readRules(tool: string, place: Place, context: PolicyContext): Rule[] {
  if (place.plain() === null) return []
  const fields = place.fields(TOOL_KEYS)
  const spend = readSpendRule(fields?.get('spend'), `${tool} spend`)
  const list = fields?.get('rules')
  if (list === undefined || list.plain() === null) return spend
  const items = list.items('a list of rules; [] for none') ?? []
  const read = items.map(item => ({ place: item, rules: readRule(item, tool, context) }))
  warnOfSameNames(items)
  refuseDoubles(
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
 * Warns of rules with the same name, because a denial, the audit and an approval identify a rule by its name.
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
        `has the name of line ${line} once more: a denial does not tell them apart`,
      )
  }
}

type RuleFields = Fields<(typeof RULE_KEYS)[number]>

/** Reads one rule. A limit with further conditions becomes two rules. */
function readRule(place: Place, tool: string, context: PolicyContext): Rule[] {
  const fields = place.fields(RULE_KEYS)
  if (fields === undefined) return []
  const name = fields.require('name', 'every rule has one: a denial tells it')?.text() ?? ''
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
      'stands in a rule that asks for no approval',
      'write action: require_approval, or leave it out',
    )
  }
  if (fields.get('rate_limit') !== undefined) return shorthand(fields, tool, rule)
  const action = actionPlace?.oneOf(ACTIONS, remedyForAction(actionPlace))
  switch (action) {
    case 'deny':
      refuseBeside(fields, ['conditions', 'state'], 'action: deny', 'the action is for every call')
      return [rule({ kind: 'deny' })]
    case 'approve':
      refuseBeside(fields, ['conditions', 'state'], 'action: approve', 'the action is for every call')
      place.warn(
        'own_approval',
        "asks for approval in a form of this project's own: Intercept has action: require_approval for it",
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
      return evaluated({ fields, tool, counters: context.counters, rule, name })
  }
}

function refuseBeside(
  fields: RuleFields,
  keys: readonly (typeof RULE_KEYS)[number][],
  beside: string,
  why?: string,
): void {
  for (const key of keys) {
    const remedy = `leave one out${why === undefined ? '' : `: ${why}`}`
    fields.get(key)?.refuse(`stands beside ${beside}`, remedy)
  }
}

interface Evaluated {
  fields: RuleFields
  tool: string
  counters: CounterFinder
  rule(demand: Demand, message?: string): Rule
  name: string
}

function evaluated({ fields, tool, counters, rule, name }: Evaluated): Rule[] {
  const place = fields.require('conditions', 'a rule that evaluates has at least one; action: deny has none')
  if (place === undefined) return []
  const conditions = readConditions(place, counters)
  if (place.node.kind === 'list' && place.node.items.length === 0) {
    place.mismatch('a rule that evaluates has at least one condition; action: deny has none')
  }
  const state = fields.get('state')
  const counting = state === undefined ? undefined : readCounting(state, tool)
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
 * Returns a condition that requires a valid amount. Intercept reads the amount of a call even if no limit
 * uses the counter, and denies a call without one.
 */
function amountCondition({ amount }: Counting): Condition[] {
  if (typeof amount === 'number') return []
  const { keys, path } = amount
  return [{ subject: { from: 'args', keys }, path, op: 'gte', value: 0 }]
}

function shorthand(
  fields: RuleFields,
  tool: string,
  rule: (demand: Demand, message?: string) => Rule,
): Rule[] {
  for (const key of ['conditions', 'state'] as const) {
    fields.get(key)?.refuse('stands beside rate_limit', 'leave one out, or make two rules of it')
  }
  const action = fields.get('action')
  if (action !== undefined && action.plain() !== 'evaluate') {
    action.refuse(`is ${JSON.stringify(action.plain())} beside rate_limit`, 'leave one out')
  }
  const place = fields.get('rate_limit')
  const read = place === undefined ? undefined : readShorthand(place)
  if (place === undefined || read === undefined || isUncountable(tool, place)) return []
  const windowMs = WINDOWS[read.window]
  const counter = `state.${scopeOf(tool)}._rate_${read.window}`
  const limit = { counter, windowMs, max: read.max, amount: 1, perGrant: false }
  return [rule({ kind: 'limit', limit }, limitReached(read.max, windowMs))]
}

function readCounting(place: Place, tool: string): Counting | undefined {
  return isUncountable(tool, place) ? undefined : readState(place, scopeOf(tool))
}

/** Returns whether the calls of a tool cannot be counted. Reports a problem if so. */
function isUncountable(tool: string, place: Place): boolean {
  const remedy = uncountable(tool)
  if (remedy !== undefined) place.refuse(`counts calls of ${shown(tool)}`, remedy)
  return remedy !== undefined
}

function uncountable(tool: string): string | undefined {
  if (tool.includes('.')) {
    return 'Intercept cannot count a tool with a dot in its name: its path would be cut at the dot'
  }
  return tool === GLOBAL ? 'Intercept counts the calls of every tool under that name' : undefined
}

function remedyForAction(place: Place | undefined): string | undefined {
  return place?.plain() === 'allow'
    ? 'Intercept allows with no rules at all: rules: []; allow is the form of the tool pages, which has no version and no names'
    : undefined
}

/** Returns the scope of a tool's counters in paths. */
function scopeOf(tool: string): string {
  return tool === '*' ? GLOBAL : tool
}

/**
 * Returns a function that finds counters by their path `state.<scope>.<counter>`.
 *
 * @param root the whole policy, because a condition may name the counter of a later rule
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
    return place.mismatch(`it names no counter of a state block: ${all}`)
  }
}

/** A `state` block. The limit of its counter is one of the rule's conditions. */
interface Counting {
  path: string
  windowMs: number
  amount: Amount
}

/** Reads a `state` block. @param scope scope of the counter in its path */
function readState(place: Place, scope: string): Counting | undefined {
  const fields = place.fields(STATE_KEYS)
  if (fields === undefined) return undefined
  const counter = fields.require('counter', 'name it')?.text()
  const window = fields.require('window', `it is one of ${WINDOW_NAMES.join(', ')}`)?.oneOf(WINDOW_NAMES)
  const amount = readAmount(fields)
  if (counter === undefined || window === undefined || amount === undefined) return undefined
  return { path: `state.${scope}.${counter}`, windowMs: WINDOWS[window], amount }
}

function readAmount(fields: Fields<(typeof STATE_KEYS)[number]>): Amount | undefined {
  const [from, by] = [fields.get('increment_from'), fields.get('increment')]
  if (from === undefined) return by === undefined ? 1 : by.wholeNumber(1)
  if (by !== undefined) by.refuse('stands beside increment_from', 'leave one out')
  const path = from.text()
  if (path === undefined) return undefined
  const keys = path.slice('args.'.length).split('.')
  if (!path.startsWith('args.') || keys.includes(''))
    return from.mismatch('a path of an argument, e.g. args.amount')
  return { keys, path }
}

/**
 * Finds the limit among the conditions: `lt` or `lte` on the block's own counter. The count includes the call
 * itself, so `lte 5` allows five calls and `lt 5` allows four.
 *
 * @returns the limit, and the other conditions
 */
function limitAmong(
  conditions: readonly Condition[],
  { path, windowMs, amount }: Counting,
  place: Place,
): { limit: Limit | undefined; rest: Condition[] } {
  const isLimit = (condition: Condition) =>
    condition.path === path && (condition.op === 'lt' || condition.op === 'lte')
  const [bound, second] = conditions.filter(isLimit)
  const rest = conditions.filter(condition => !isLimit(condition))
  if (second !== undefined) {
    place.refuse(`limits ${cut(path)} twice`, 'only the smaller would ever count: leave one')
  }
  if (bound === undefined) {
    place.warn(
      'counter_stands_still',
      `counts nothing: ${cut(path)} moves only by an lt or lte condition of this rule on it`,
    )
    return { limit: undefined, rest }
  }
  const given = Number(bound.value)
  const max = Math.trunc(given) - (bound.op === 'lt' ? 1 : 0)
  if (!Number.isSafeInteger(given))
    place.warn('limit_cut', `limits to ${given}, which is cut to a whole number`)
  if (max < 1)
    place.warn('limit_of_none', `lets no call through: ${bound.op} ${given} is reached before the first`)
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
      ? 'it is written like 10/minute; the form with max and window is that of the tool pages, which has no version and no names'
      : 'it is written like 30/minute, with minute, hour or day',
  )
}
