import { RE2JS } from 're2js'
import type { Operator, Plain } from './model.js'

/** The depth to which values are printed. A caller's arguments may nest until the stack is full. */
const DEEPEST = 100

/** Whether a value satisfies a condition. Undefined is a missing value. */
export type Test = (actual: unknown) => boolean

/**
 * Makes the test of an operator.
 *
 * A missing value fails every operator except `exists`, also `neq` and `not_in`. So a condition makes its argument mandatory.
 *
 * @param expected a value that the operator takes, which the readers of policies ensure
 */
export function testOf(op: Operator, expected: Plain): Test {
  if (op === 'exists') return actual => (actual !== undefined && actual !== null) === expected
  const test = presentTest(op, expected)
  return actual => actual !== undefined && test(actual)
}

function presentTest(op: Exclude<Operator, 'exists'>, expected: Plain): Test {
  switch (op) {
    case 'eq':
      return equals(expected)
    case 'neq':
      return not(equals(expected))
    case 'in':
      return oneOf(expected)
    case 'not_in':
      return not(oneOf(expected))
    case 'lt':
      return numbers(expected, (actual, most) => actual < most)
    case 'lte':
      return numbers(expected, (actual, most) => actual <= most)
    case 'gt':
      return numbers(expected, (actual, least) => actual > least)
    case 'gte':
      return numbers(expected, (actual, least) => actual >= least)
    case 'regex':
      return matches(expected)
    case 'contains':
      return contains(expected)
  }
}

/** Two numbers by their value, all else by its printed form. */
function equals(expected: Plain): Test {
  const printed = goPrinted(expected, goWritten)
  return actual =>
    typeof actual === 'number' && typeof expected === 'number'
      ? actual === expected
      : goPrinted(actual) === printed
}

function oneOf(expected: Plain): Test {
  const tests = Array.isArray(expected) ? expected.map(item => equals(item)) : []
  return actual => tests.some(test => test(actual))
}

function not(test: Test): Test {
  return actual => !test(actual)
}

/** A text is no number, whatever it spells. */
function numbers(expected: Plain, compare: (actual: number, bound: number) => boolean): Test {
  return actual => typeof actual === 'number' && typeof expected === 'number' && compare(actual, expected)
}

function matches(expected: Plain): Test {
  const pattern = compilePattern(String(expected))
  return actual => typeof actual === 'string' && pattern.matches(actual)
}

/** Part of a text, or an element of a list. */
function contains(expected: Plain): Test {
  const equal = equals(expected)
  return actual => {
    if (typeof actual === 'string') return typeof expected === 'string' && actual.includes(expected)
    return Array.isArray(actual) && actual.some(equal)
  }
}

/**
 * Prints a value as Go's `%v` does. Intercept compares these texts unless both sides are numbers.
 *
 * A list is printed as its elements in brackets, and a text has no quotes. So `"5"` equals `5`, and `["main"]` differs
 * from `"main"`.
 *
 * @param float prints a number; a call's numbers are floats to Go, a policy's whole numbers are not
 */
export function goPrinted(value: unknown, float = goFloat, depth = 0): string {
  // Deeper than a policy can be, so that nothing in one is printed like it.
  if (depth > DEEPEST) return '\0'
  if (value === null || value === undefined) return '<nil>'
  if (typeof value === 'number') return float(value)
  if (typeof value !== 'object') return String(value)
  if (Array.isArray(value)) return `[${value.map(item => goPrinted(item, float, depth + 1)).join(' ')}]`
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `map[${entries.map(([key, item]) => `${key}:${goPrinted(item, float, depth + 1)}`).join(' ')}]`
}

/** A number of a policy: a whole one stays as it is written. */
export function goWritten(value: number): string {
  return Number.isSafeInteger(value) ? String(value) : goFloat(value)
}

/** Go writes an exponent from a million on, where JavaScript waits for 21 digits. */
export function goFloat(value: number): string {
  if (value === 0) return Object.is(value, -0) ? '-0' : '0'
  const [digits = '', exponent = '0'] = value.toExponential().split('e')
  const power = Number(exponent)
  if (power >= -4 && power < 6) return String(value)
  return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`
}

/** A pattern of RE2, as Go has it: unanchored, and no text takes it more than time in proportion to its length. */
interface Pattern {
  matches(text: string): boolean
}

/** @throws Error in RE2's words for what is no pattern of it */
function compilePattern(source: string): Pattern {
  const compiled = RE2JS.compile(source)
  return { matches: text => compiled.test(text) }
}

/** Tells what is wrong with a pattern, in RE2's words. Undefined if nothing is. */
export function patternProblem(source: string): string | undefined {
  try {
    compilePattern(source)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
