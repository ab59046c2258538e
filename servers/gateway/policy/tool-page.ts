import { APPROVALS_SINCE, approvalTerms, readApprovals } from './approval-parts.js'
import { buildPolicy, readSharedKeys, readTools, refuseDuplicateLimits } from './dialect-parts.js'
import type { Place } from './located-value.js'
import { limitReached, type Plain, type Policy, type Rule } from './model.js'
import { entryOf, type Located, plain } from './problems.js'

const ROOT_KEYS = ['description', 'default', 'hide', 'tools'] as const
const RULE_KEYS = ['action', 'reason', 'rate_limit'] as const
const RULES_REMEDY = 'write a list of rules'
const ACTIONS = ['allow', 'deny', 'require_approval'] as const

/** Maximum length of a window, in seconds: 31 days. A longer window is refused as a mistake. */
const LONGEST_WINDOW_SECONDS = 31 * 86_400

/**
 * Reads a policy in the form that PolicyLayer prints on its tool pages. Neither Intercept nor PolicyLayer
 * accepts this form. Each part whose meaning the pages do not define is read as in Intercept. Without a
 * default, tools that the policy does not name are allowed.
 */
export function readPage(root: Place): Policy | undefined {
  const fields = root.fields(ROOT_KEYS)
  if (fields === undefined) return undefined
  const head = readSharedKeys(fields)
  root.warn(
    'page_form',
    "This is the form printed on PolicyLayer's tool pages, which neither product accepts: Intercept " +
      'needs a version and names of rules, and PolicyLayer has limits instead of rules',
  )
  return buildPolicy(
    'policylayer-page',
    root.findings.version,
    head,
    readTools(fields.get('tools'), readRules, true),
  )
}

function readRules(tool: string, place: Place): Rule[] {
  const items = place.fields(['rules'])?.require('rules', RULES_REMEDY)?.items(RULES_REMEDY) ?? []
  const rules = items.flatMap((item, at) =>
    readRule(item, `/tools/${tool}/rules/${at}`, `tools.${tool}.${at}`).map(rule => ({ place: item, rule })),
  )
  const allows = items.some(({ node }) => scalarAt(node, 'action') === 'allow')
  if (allows && rules.some(({ rule }) => rule.demand.kind === 'deny')) {
    place.refuse('is allowed by one rule and denied by another', 'remove one of the two')
  }
  refuseDuplicateLimits(rules)
  return rules.map(({ rule }) => rule)
}

/**
 * Reads one rule. Returns a list with the rule, or an empty list if the rule only allows calls or has a
 * problem.
 */
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
    limitPlace.refuse(`stands beside action: ${action}`, 'remove one of the two')
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
      'requires an approval. The tool pages do not define its form, so the form of Intercept is used',
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
  const max = fields?.require('max', 'write the maximum number of calls in a window')?.wholeNumber(1)
  const seconds = fields
    ?.require('window', 'write the length of the window in seconds')
    ?.wholeNumber(1, LONGEST_WINDOW_SECONDS)
  return max === undefined || seconds === undefined ? undefined : { max, windowMs: seconds * 1000 }
}

function scalarAt(node: Located, key: string): Plain | undefined {
  const value = entryOf(node, key)
  return value && plain(value)
}
