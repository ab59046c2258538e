import { cut, shown } from '../../../shared/util/shown.js'
import type { Fields, Place } from './located-value.js'
import { type Condition, OPERATORS, type Operator, type Plain, type Subject } from './model.js'
import { patternProblem } from './operators.js'

export const CONDITION_KEYS = ['path', 'op', 'value'] as const

/**
 * Returns the name of the counter for a path such as `state.TOOL.COUNTER`. If there is no such counter,
 * reports a problem and returns undefined.
 */
export type CounterFinder = (path: string, place: Place) => string | undefined

/**
 * Reads a list of conditions.
 *
 * @param counters finds the counters of `state.` paths. Undefined if the dialect has no such paths
 */
export function readConditions(place: Place, counters?: CounterFinder): Condition[] {
  return (place.items('write a list of conditions') ?? []).flatMap(item => {
    const fields = item.fields(CONDITION_KEYS)
    return fields === undefined ? [] : readCondition(fields, counters)
  })
}

/** Reads one condition. Returns a list with the condition, or reports problems and returns an empty list. */
export function readCondition(
  fields: Fields<(typeof CONDITION_KEYS)[number]>,
  counters?: CounterFinder,
): Condition[] {
  const pathPlace = fields.require('path', 'name an argument, e.g. args.name')
  const path = pathPlace?.text()
  const op = fields.require('op', `write one of ${OPERATORS.join(', ')}`)?.oneOf(OPERATORS)
  const valuePlace = fields.require('value', 'add the value with which the argument is compared')
  const subject =
    pathPlace === undefined || path === undefined ? undefined : readSubject(path, pathPlace, counters)
  if (op === undefined || valuePlace === undefined || path === undefined || subject === undefined) return []
  const value = valuePlace.plain()
  if (!takes(op, value, valuePlace)) return []
  return [{ subject, path, op, value }]
}

function readSubject(path: string, place: Place, counters: CounterFinder | undefined): Subject | undefined {
  if (path.startsWith('args.')) {
    const keys = path.slice('args.'.length).split('.')
    if (keys.includes(''))
      return place.mismatch('write keys joined by dots, e.g. args.name or args.options.name')
    if (/[[\]*]/.test(path)) {
      place.warn(
        'odd_path',
        `is ${shown(path)}: brackets and stars are parts of a key here, and a list element has no path`,
      )
    }
    return { from: 'args', keys }
  }
  if (path.startsWith('state.') && counters !== undefined) {
    const counter = counters(path, place)
    return counter === undefined ? undefined : { from: 'state', counter }
  }
  return place.mismatch(
    counters === undefined ? 'it must begin with args.' : 'it must begin with args. or state.',
  )
}

/** Returns whether an operator accepts a value. Reports a problem if it does not. */
function takes(op: Operator, value: Plain, place: Place): boolean {
  const remedy = remedyFor(op, value)
  if (remedy !== undefined) place.mismatch(remedy)
  else if (op === 'regex') {
    const problem = patternProblem(String(value))
    if (problem === undefined) return true
    place.refuse(`is not a pattern of RE2 (${cut(problem)})`, 'RE2 has no look-around and no back-references')
    return false
  }
  return remedy === undefined
}

/**
 * Returns a remedy that names the kind of value which an operator accepts. Returns undefined if the operator
 * accepts `value`.
 */
function remedyFor(op: Operator, value: Plain): string | undefined {
  switch (op) {
    case 'in':
    case 'not_in':
      return Array.isArray(value) && value.length > 0
        ? undefined
        : `${op} takes a list with at least one element`
    case 'lt':
    case 'lte':
    case 'gt':
    case 'gte':
      return typeof value === 'number' ? undefined : `${op} takes a number`
    case 'exists':
      return typeof value === 'boolean' ? undefined : 'exists takes true or false'
    case 'regex':
      return typeof value === 'string' ? undefined : 'regex takes a string'
    default:
      return undefined
  }
}
