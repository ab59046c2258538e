import { APPROVALS_SINCE, approvalTerms, readApprovals } from './approval-parts.js'
import { openPolicy, readHead, readTools, refuseDoubles } from './dialect-parts.js'
import type { Place } from './located-value.js'
import { limitReached, type Plain, type Policy, type Rule } from './model.js'
import { entryOf, type Located, plain } from './problems.js'

const ROOT_KEYS = ['description', 'default', 'hide', 'tools'] as const
const RULE_KEYS = ['action', 'reason', 'rate_limit'] as const
const ACTIONS = ['allow', 'deny', 'require_approval'] as const

/** Maximum window: one month, in seconds. A longer window is treated as a mistake. */
const LONGEST_WINDOW_SECONDS = 31 * 86_400

/**
 * Reads a policy in the form that is printed on PolicyLayer's tool pages. Neither product accepts this form.
 * Everything that the form leaves open is read as in Intercept. Without a default, tools that are not named
 * are allowed.
 */
export function readPage(root: Place): Policy | undefined {
  const fields = root.fields(ROOT_KEYS)
  if (fields === undefined) return undefined
  const head = readHead(fields)
  root.warn(
    'page_form',
    "This is the form printed on PolicyLayer's tool pages, which neither product takes: Intercept wants a version and names for " +
      'its rules, PolicyLayer limits in place of rules',
  )
  return openPolicy(
    'policylayer-page',
    root.findings.version,
    head,
    readTools(fields.get('tools'), readRules, true),
  )
}

function readRules(tool: string, place: Place): Rule[] {
  const items = place.fields(['rules'])?.require('rules', 'a list of rules')?.items('a list of rules') ?? []
  const rules = items.flatMap((item, at) =>
    readRule(item, `/tools/${tool}/rules/${at}`, `tools.${tool}.${at}`).map(rule => ({ place: item, rule })),
  )
  const allows = items.some(({ node }) => scalarAt(node, 'action') === 'allow')
  if (allows && rules.some(({ rule }) => rule.demand.kind === 'deny')) {
    place.refuse('is allowed by one rule and denied by another', 'leave one')
  }
  refuseDoubles(rules)
  return rules.map(({ rule }) => rule)
}

/** Reads one rule. Returns a list with one rule, or an empty list for a rule that demands nothing. */
function readRule(item: Place, name: string, counter: string): Rule[] {
  const fields = item.fields(RULE_KEYS)
  if (fields === undefined) return []
  const [actionPlace, limitPlace] = [fields.get('action'), fields.get('rate_limit')]
  if (actionPlace === undefined && limitPlace === undefined) {
    item.refuse('says nothing', `write an action (${ACTIONS.join(', ')}) or a rate_limit`)
  }
  const action = actionPlace?.oneOf(ACTIONS)
  const reason = fields.get('reason')?.text()
  if (action !== undefined && action !== 'allow' && limitPlace !== undefined) {
    limitPlace.refuse(`stands beside action: ${action}`, 'leave one out')
  }
  const rule = (message: string, demand: Rule['demand']): Rule => ({
    name,
    message: reason ?? message,
    line: item.line,
    demand,
  })
  if (action === 'deny') return [rule(`Denied by rule ${JSON.stringify(name)}`, { kind: 'deny' })]
  if (action === 'require_approval') {
    actionPlace?.needs(APPROVALS_SINCE, 'require_approval')
    item.warn(
      'own_approval',
      'asks for approval: the pages do not say how, so it is read as Intercept has it',
      'note',
    )
    const demand = {
      kind: 'approve' as const,
      conditions: [],
      intercept: approvalTerms(undefined, readApprovals(undefined)),
    }
    return [rule(`Needs approval by rule ${JSON.stringify(name)}`, demand)]
  }
  const limit = limitPlace === undefined ? undefined : readLimit(limitPlace)
  if (limit === undefined) return []
  const demand = { kind: 'limit' as const, limit: { ...limit, counter, amount: 1, perGrant: true } }
  return [rule(limitReached(limit.max, limit.windowMs), demand)]
}

function readLimit(place: Place): { max: number; windowMs: number } | undefined {
  const fields = place.fields(['max', 'window'])
  const max = fields?.require('max', 'say how many calls a window has')?.wholeNumber(1)
  const seconds = fields
    ?.require('window', 'say how many seconds it has')
    ?.wholeNumber(1, LONGEST_WINDOW_SECONDS)
  return max === undefined || seconds === undefined ? undefined : { max, windowMs: seconds * 1000 }
}

function scalarAt(node: Located, key: string): Plain | undefined {
  const value = entryOf(node, key)
  return value && plain(value)
}
