import { shown } from '../../../shared/util/shown.js'
import { type CounterFinder, readConditions } from './conditions.js'
import { GLOBAL, scopeOf } from './intercept-counters.js'
import { type Counting, limitAmong, readShorthand, readState } from './intercept-state.js'
import type { Demand, Rule } from './model.js'
import type { Fields, Place } from './place.js'
import { limitReached, WINDOWS } from './windows.js'

const RULE_KEYS = ['name', 'action', 'conditions', 'on_deny', 'state', 'rate_limit'] as const

type RuleFields = Fields<(typeof RULE_KEYS)[number]>

/** `approve` is not Intercept's: nobody has published a format for approvals. */
const ACTIONS = ['evaluate', 'deny', 'approve'] as const

/** One rule as written: a limit with further conditions comes to two. */
export function readRule(place: Place, tool: string, counters: CounterFinder): Rule[] {
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
  if (fields.get('rate_limit') !== undefined) return shorthand(fields, tool, rule)
  const action = fields.get('action')?.oneOf(ACTIONS, remedyForAction(fields.get('action')))
  if (action === 'deny' || action === 'approve') {
    for (const key of ['conditions', 'state'] as const) {
      fields
        .get(key)
        ?.refuse(`stands beside action: ${action}`, 'leave one out: the action is for every call')
    }
    if (action === 'approve') {
      place.warn(
        'own_approval',
        "asks for approval in a form of this project's own: Intercept refuses it",
        'note',
      )
      return [rule({ kind: 'approve' }, `Needs approval by rule ${JSON.stringify(name)}`)]
    }
    return [rule({ kind: 'deny' })]
  }
  return evaluated(fields, tool, counters, rule, name)
}

function evaluated(
  fields: RuleFields,
  tool: string,
  counters: CounterFinder,
  rule: (demand: Demand, message?: string) => Rule,
  name: string,
): Rule[] {
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
  return [
    ...(rest.length > 0 ? [rule({ kind: 'require', conditions: rest })] : []),
    ...(limit === undefined ? [] : [rule({ kind: 'limit', limit }, `Rate limit exceeded for ${name}`)]),
  ]
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

/** Whether a tool can be counted; one that cannot is noted. */
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
