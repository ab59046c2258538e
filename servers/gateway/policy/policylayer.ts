import { CONDITION_KEYS, readCondition, readConditions } from './conditions.js'
import { readSharedKeys, readTools, readVersion, refuseDuplicateLimits } from './dialect-parts.js'
import type { Place } from './located-value.js'
import {
  type Condition,
  type Demand,
  limitReached,
  type Policy,
  type Rule,
  WINDOW_NAMES,
  WINDOWS,
} from './model.js'
import { entryOf } from './problems.js'

const ROOT_KEYS = ['version', 'default', 'hide', 'all_tools', 'tools'] as const
/**
 * The keys of a tool. `approve` exists only in this project, because PolicyLayer publishes no format for
 * approvals.
 */
const TOOL_KEYS = ['require', 'deny_if', 'limits', 'approve'] as const
const LIMIT_KEYS = ['counter', 'window', 'max', 'scope'] as const

/**
 * Reads a `policy.json` of PolicyLayer. Like the log of PolicyLayer, names each rule by its path in the file.
 */
export function readPolicyLayer(root: Place): Policy | undefined {
  const fields = root.fields(ROOT_KEYS)
  if (fields === undefined) return undefined
  readVersion(fields.require('version', 'write "version": "1"'), false)
  fields.require(
    'default',
    'write "default": "deny", or "default": "allow" to allow tools that the policy does not name',
  )
  const head = readSharedKeys(fields)
  const every = fields.get('all_tools')?.fields(['limits'])?.get('limits')
  const { tools } = readTools(
    fields.get('tools'),
    readTool,
    'use all_tools for rules about every tool, or "*" in hide',
  )
  return {
    dialect: 'policylayer',
    // PolicyLayer does not publish whether a tool error gives quota back.
    refundsToolErrors: false,
    description: undefined,
    default: head.default ?? 'deny',
    defaultWritten: true,
    hide: head.hide,
    tools,
    everyTool: readLimits(every, '/all_tools', '*'),
  }
}

/**
 * Reads the rules of one tool and returns them in the order in which they are checked. PolicyLayer does not
 * publish an order, so this project has chosen one.
 */
function readTool(tool: string, place: Place): Rule[] {
  const fields = place.fields(TOOL_KEYS)
  if (fields === undefined) return []
  const name = `/tools/${tool}`
  return [
    ...readConditionRules(fields.get('require'), name, 'require'),
    ...readConditionRules(fields.get('deny_if'), name, 'deny_if'),
    ...readApproval(fields.get('approve'), name),
    ...readLimits(fields.get('limits'), name, tool),
  ]
}

/** Reads the entries of `require` or `deny_if`. Each entry becomes one rule. */
function readConditionRules(place: Place | undefined, tool: string, list: 'require' | 'deny_if'): Rule[] {
  return (place?.items('write a list of objects with conditions') ?? []).flatMap((item, at) => {
    const read = readEntry(item, list)
    if (read === undefined) return []
    const { conditions, onDeny } = read
    const tests = conditions.map(({ path, op }) => `${path}-${op}`)
    // The name of an entry without conditions ends with the index of the entry.
    const name = `${tool}/${list}/${tests.length > 0 ? tests.join(',') : at}`
    const demand: Demand = { kind: list === 'require' ? 'require' : 'forbid', conditions }
    return [{ name, message: onDeny ?? `Denied by rule ${JSON.stringify(name)}`, line: item.line, demand }]
  })
}

interface ConditionEntry {
  conditions: Condition[]
  onDeny: string | undefined
}

function readEntry(item: Place, list: 'require' | 'deny_if'): ConditionEntry | undefined {
  // PolicyLayer does not publish the shape of a `require` entry. So an entry can also be a single condition.
  if (entryOf(item.node, 'path') !== undefined) {
    const fields = item.fields([...CONDITION_KEYS, 'on_deny'])
    return fields && { conditions: readCondition(fields), onDeny: fields.get('on_deny')?.text() }
  }
  const fields = item.fields(['conditions', 'on_deny'])
  const place = fields?.require(
    'conditions',
    list === 'deny_if' ? 'write a list, or [] to deny every call' : 'write a list of conditions',
  )
  if (fields === undefined || place === undefined) return undefined
  if (list === 'require' && place.node.kind === 'list' && place.node.items.length === 0) {
    place.mismatch('write at least one condition')
  }
  return { conditions: readConditions(place), onDeny: fields.get('on_deny')?.text() }
}

function readApproval(place: Place | undefined, tool: string): Rule[] {
  if (place === undefined || place.oneOf([true, false]) !== true) return []
  place.warn(
    'own_approval',
    'requires an approval in a form that only this project has. PolicyLayer publishes no form for approvals',
    'note',
  )
  const name = `${tool}/approve`
  return [
    {
      name,
      message: `Needs approval by rule ${JSON.stringify(name)}`,
      line: place.line,
      demand: { kind: 'approve', conditions: [] },
    },
  ]
}

/**
 * Reads the limits of a tool.
 *
 * @param owner the beginning of the rule names, which is the path of the tool in the file
 * @param scope the name of the tool, or `*`. Two tools can have counters with the same name, which stay
 *   separate
 */
function readLimits(place: Place | undefined, owner: string, scope: string): Rule[] {
  const limits = (place?.items('write a list of limits') ?? []).flatMap(item => {
    const rule = readLimit(item, owner, scope)
    return rule === undefined ? [] : [{ place: item, rule }]
  })
  refuseDuplicateLimits(limits)
  return limits.map(({ rule }) => rule)
}

function readLimit(item: Place, owner: string, scope: string): Rule | undefined {
  const fields = item.fields(LIMIT_KEYS)
  if (fields === undefined) return undefined
  const counter = fields.require('counter', 'add a name for the counter, which denials show')?.text()
  const windowPlace = fields.require('window', `write one of ${WINDOW_NAMES.join(', ')}`)
  const window = windowPlace?.oneOf(WINDOW_NAMES)
  const max = fields.require('max', 'write the maximum number of calls in a window')?.wholeNumber(1)
  const each = fields.require('scope', SCOPE_REMEDY)?.oneOf(['grant'], SCOPE_REMEDY)
  if (counter === undefined || window === undefined || max === undefined || each === undefined)
    return undefined
  if (window === 'day') {
    windowPlace?.warn(
      'unpublished_window',
      'is "day", which is read as a UTC day. PolicyLayer publishes only minute and hour',
      'note',
    )
  }
  const windowMs = WINDOWS[window]
  return {
    name: `${owner}/limits/${counter}`,
    message: limitReached(max, windowMs),
    line: item.line,
    demand: {
      kind: 'limit',
      limit: { counter: JSON.stringify([scope, counter]), windowMs, max, amount: 1, perGrant: true },
    },
  }
}

const SCOPE_REMEDY = 'write "grant", which is the only scope that PolicyLayer publishes'
