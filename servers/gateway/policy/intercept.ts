import { openPolicy, readHead, readTools, readVersion, refuseDoubles } from './common.js'
import { counterFinder } from './intercept-counters.js'
import { readRule } from './intercept-rule.js'
import type { Policy, Rule } from './model.js'
import type { Place } from './place.js'

const ROOT_KEYS = ['version', 'description', 'default', 'hide', 'tools'] as const
const TOOL_KEYS = ['rules'] as const

/** A policy of Intercept. What its own reader lets pass in silence, unknown keys above all, is turned down here. */
export function readIntercept(root: Place): Policy | undefined {
  const fields = root.fields(ROOT_KEYS)
  if (fields === undefined) return undefined
  readVersion(fields.require('version', 'write version: "1"'), true)
  const head = readHead(fields)
  const counters = counterFinder(root.node)
  const read = readTools(
    fields.get('tools'),
    (tool, place) => readRules(tool, place, (rule, name) => readRule(rule, name, counters)),
    true,
  )
  return openPolicy('intercept', head, read)
}

/** The rules of one tool; none if nothing is said. */
function readRules(tool: string, place: Place, read: (rule: Place, tool: string) => Rule[]): Rule[] {
  // A tool with nothing behind it is one without rules, to Intercept as well.
  if (place.plain() === null) return []
  const list = place.fields(TOOL_KEYS)?.get('rules')
  if (list === undefined || list.plain() === null) return []
  const rules = (list.items('a list of rules; [] for none') ?? []).flatMap(item =>
    read(item, tool).map(rule => ({ place: item, rule })),
  )
  refuseDoubles(rules)
  return rules.map(({ rule }) => rule)
}
