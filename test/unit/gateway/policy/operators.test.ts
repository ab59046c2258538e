import { describe, expect, it } from 'vitest'
import type { Operator, Plain } from '../../../../servers/gateway/policy/model.js'
import { goPrinted, goWritten, testOf } from '../../../../servers/gateway/policy/operators.js'

const missing = undefined

// fidelity gateway/intercept, same: There are eleven operators: eq, neq, in, not_in, lt, lte, gt, gte, regex,
// contains, exists.
describe.each<[Operator, Plain, passing: unknown[], failing: unknown[]]>([
  // fidelity gateway/intercept, same: A list is not equal to its only element.
  ['eq', 'main', ['main'], ['Main', ['main'], null, missing, { main: 1 }]],
  // fidelity gateway/intercept, same: Numbers are compared by value, and with a text as Go prints them.
  ['eq', 5, [5, 5.0, '5'], [6, '5.0', true, missing]],
  ['eq', true, [true, 'true'], [false, 1]],
  ['eq', null, [null, '<nil>'], ['', 0, missing]],
  ['eq', ['a', 'b'], [['a', 'b'], '[a b]'], [['a'], ['b', 'a']]],
  ['eq', 1_000_000, [1_000_000, '1000000'], ['1e+06']],
  ['eq', '1000000', ['1000000'], [1_000_000]],
  // fidelity gateway/intercept, same: A missing argument fails `neq` too.
  ['neq', 'main', ['dev', ['main'], null, 5], ['main', missing]],
  ['in', ['a', 2], ['a', 2, '2'], ['b', ['a'], missing]],
  // fidelity gateway/intercept, same: A missing argument fails `not_in` too.
  ['not_in', ['a', 2], ['b', ['a'], null], ['a', 2, missing]],
  // fidelity gateway/intercept, same: `lt` is false for a number in a text.
  ['lt', 5, [4, -1, 4.9], [5, 6, '4', null, [4], true, missing]],
  ['lte', 5, [5, 4], [5.1, '5', missing]],
  ['gt', 5, [6], [5, '6', missing]],
  ['gte', 5, [5, 6], [4, '5', missing]],
  // fidelity gateway/intercept, same: A pattern matches anywhere in a text, and in texts alone.
  ['regex', 'b', ['abc', 'b'], ['a', 5, ['b'], null, missing]],
  ['regex', '^[a-z]+$', ['abc'], ['aBc', 'abc\n', '']],
  ['regex', '(?i)drop', ['DROP TABLE'], ['drip']],
  ['contains', 'ell', ['hello'], ['help', ['hello'], 5, missing]],
  ['contains', 'a', [['b', 'a'], 'cat'], [['b'], {}, []]],
  ['contains', 5, [[5], ['5']], ['5', 5]],
  // fidelity gateway/intercept, same: `exists` is false for a missing argument and for null.
  ['exists', true, [0, '', false, []], [null, missing]],
  ['exists', false, [null, missing], [0, '', false]],
])('%s %j', (op, expected, passing, failing) => {
  it.each(passing.map(value => [value]))('holds for %j', value => {
    expect(testOf(op, expected)(value)).toBe(true)
  })
  it.each(failing.map(value => [value]))('does not hold for %j', value => {
    expect(testOf(op, expected)(value)).toBe(false)
  })
})

// fidelity gateway/intercept, same: Patterns are RE2: their time is proportional to the text.
it('matches any pattern in time proportional to the text', () => {
  const test = testOf('regex', '^(([a-z])+.)+[A-Z]([a-z])+$')
  expect(test('a'.repeat(20_000))).toBe(false)
})

it('does not overflow the stack for deeply nested arguments', () => {
  let nested: unknown = 'x'
  for (let depth = 0; depth < 50_000; depth++) nested = [nested]
  expect(testOf('eq', 'x')(nested)).toBe(false)
  expect(testOf('contains', 'x')(nested)).toBe(false)
})

// Each as Go 1's fmt prints it after decoding the JSON.
// fidelity gateway/intercept, same: Values are compared as Go prints them.
it.each<[unknown, string]>([
  [100_000, '100000'],
  [1_000_000, '1e+06'],
  [1_234_567, '1.234567e+06'],
  [-1_234_567.25, '-1.23456725e+06'],
  [999_999.5, '999999.5'],
  [0.0001, '0.0001'],
  [0.00001, '1e-05'],
  [0.000012345, '1.2345e-05'],
  [1e21, '1e+21'],
  [-0, '-0'],
  [[1, 'a', null, true, [1_000_000]], '[1 a <nil> true [1e+06]]'],
  [{ b: 1, a: { c: [] } }, 'map[a:map[c:[]] b:1]'],
])('%j is printed %s', (value, printed) => {
  expect(goPrinted(value)).toBe(printed)
})

it('prints a whole number of a policy as it is written', () => {
  expect(goPrinted([1_000_000, 1.5], goWritten)).toBe('[1000000 1.5]')
})
