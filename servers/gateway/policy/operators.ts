import { goPrinted, goWritten } from './go-printed.js'
import type { Operator, Plain } from './model.js'
import { compilePattern } from './pattern.js'

/** Whether a value is as a condition has it; undefined is a value that is missing. */
export type Test = (actual: unknown) => boolean

/**
 * Makes the test of an operator. What is missing fails every one of them but `exists`, `neq` and `not_in` too: an argument that a
 * condition speaks of cannot be left out.
 *
 * @param expected of the kind that the operator takes, as the readers of policies see to
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
