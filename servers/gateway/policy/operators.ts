import { RE2JS } from 're2js'
import type { Operator, Plain } from './model.js'

/** Maximum depth to which values are printed. The printing of deeper arguments could overflow the stack. */
const MAX_DEPTH = 100

/** Returns whether a value satisfies a condition. `actual` is undefined if the argument is missing. */
export type Test = (actual: unknown) => boolean

/**
 * Returns the test for an operator and its value.
 *
 * If an argument is missing, every test fails except `exists`. Even `neq` and `not_in` fail. A condition
 * therefore makes its argument mandatory.
 *
 * @param expected the value in the policy. It must be of a kind that the operator accepts
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

/** Compares two numbers by their values, and all other pairs by the form in which Go prints them. */
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

/** Compares two numbers. The test fails for every string, even for a string of digits. */
function numbers(expected: Plain, compare: (actual: number, bound: number) => boolean): Test {
  return actual => typeof actual === 'number' && typeof expected === 'number' && compare(actual, expected)
}

function matches(expected: Plain): Test {
  const pattern = compilePattern(String(expected))
  return actual => typeof actual === 'string' && pattern.matches(actual)
}

/** Tests whether a string contains a part, or whether a list contains an element. */
function contains(expected: Plain): Test {
  const equal = equals(expected)
  return actual => {
    if (typeof actual === 'string') return typeof expected === 'string' && actual.includes(expected)
    return Array.isArray(actual) && actual.some(equal)
  }
}

/**
 * Prints a value as Go's `%v` does. Intercept compares the printed forms of two values, unless both are
 * numbers.
 *
 * A list is printed as its elements in brackets, and a string is printed without quotes. So `"5"` equals `5`,
 * and `["main"]` differs from `"main"`.
 *
 * @param float prints a number. In Go, the numbers of a call are floats, but the whole numbers of a policy
 *   are integers
 */
export function goPrinted(value: unknown, float = goFloat, depth = 0): string {
  // The value in a policy is never this deep, so it never equals this text.
  if (depth > MAX_DEPTH) return '\0'
  if (value === null || value === undefined) return '<nil>'
  if (typeof value === 'number') return float(value)
  if (typeof value !== 'object') return String(value)
  if (Array.isArray(value)) return `[${value.map(item => goPrinted(item, float, depth + 1)).join(' ')}]`
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `map[${entries.map(([key, item]) => `${key}:${goPrinted(item, float, depth + 1)}`).join(' ')}]`
}

/** Prints a number of a policy as Go does. Whole numbers are integers in Go and have no exponent. */
export function goWritten(value: number): string {
  return Number.isSafeInteger(value) ? String(value) : goFloat(value)
}

/**
 * Prints a float as Go does. Go prints an exponent for 1,000,000 and above, but JavaScript only for numbers
 * of 22 digits or more.
 */
export function goFloat(value: number): string {
  if (value === 0) return Object.is(value, -0) ? '-0' : '0'
  const [digits = '', exponent = '0'] = value.toExponential().split('e')
  const power = Number(exponent)
  if (power >= -4 && power < 6) return String(value)
  return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`
}

/**
 * A regular expression of RE2, as Go has it. It matches anywhere in a text, unless it is anchored. The time
 * of a match grows only in proportion to the length of the text.
 */
interface Pattern {
  matches(text: string): boolean
}

/** Compiles a pattern. @throws Error if the pattern is invalid, with the message of RE2 */
function compilePattern(source: string): Pattern {
  const compiled = RE2JS.compile(source)
  return { matches: text => compiled.test(text) }
}

/** Returns the message of RE2 about an invalid pattern. Returns undefined for a valid pattern. */
export function patternProblem(source: string): string | undefined {
  try {
    compilePattern(source)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
