import { entryOf, type Located } from './located.js'
import type { Dialect } from './model.js'

/**
 * Tells what a policy was written in by what only one dialect has; where nothing tells, JSON is PolicyLayer's and YAML Intercept's.
 *
 * @param isJson whether the text is meant as JSON
 */
export function dialectOf(root: Located, isJson: boolean): Dialect {
  const tools = entryOf(root, 'tools')
  const bodies = tools?.kind === 'map' ? tools.entries.map(({ value }) => value) : []
  const hasRules = bodies.some(body => entryOf(body, 'rules') !== undefined)
  const hasLists = bodies.some(body =>
    ['limits', 'deny_if', 'require', 'approve'].some(key => entryOf(body, key) !== undefined),
  )
  if (hasRules && !(hasLists && isJson)) {
    const asOnPages = bodies.some(body => rulesOf(body).some(isPageRule))
    return entryOf(root, 'version') === undefined && asOnPages ? 'policylayer-page' : 'intercept'
  }
  return hasLists || entryOf(root, 'all_tools') !== undefined || isJson ? 'policylayer' : 'intercept'
}

function rulesOf(body: Located): readonly Located[] {
  const rules = entryOf(body, 'rules')
  return rules?.kind === 'list' ? rules.items : []
}

/** The pages give their rules no names, count in seconds, and allow in so many words. */
function isPageRule(rule: Located): boolean {
  if (entryOf(rule, 'name') !== undefined) return false
  const action = entryOf(rule, 'action')
  const word = action?.kind === 'scalar' ? action.value : undefined
  return (
    word === 'allow' ||
    word === 'require_approval' ||
    entryOf(rule, 'reason') !== undefined ||
    entryOf(rule, 'rate_limit')?.kind === 'map'
  )
}
