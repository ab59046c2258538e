import { expect, it } from 'vitest'
import { readPolicy } from '../../../../servers/gateway/policy/read-policy.js'
import { engineOf, problemsOf } from '../../../support/gateway/policy.js'

const inRule = (rule: string, tool = 't') => `version: "1"\ntools:\n  ${tool}:\n    rules:\n      - ${rule}`

it.each([
  // fidelity gateway/intercept, same: A `version` other than 1 is refused.
  ['version: "2"', ['1: version is "2"']],
  // fidelity gateway/intercept, same: A policy needs a `version`.
  ['tools: {}', ['1: has no version']],
  ['version: "1"\ndefualt: deny', ['2: does not know "defualt"']],
  ['version: "1"\ndefault: block', ['2: default is "block"']],
  ['version: "1"\ndescription: [x]', ['2: description is ["x"]']],
  ['version: "1"\nhide: x', ['2: hide is "x"']],
  [
    'version: "1"\nhide: [" ", x, x, "del*"]',
    ['2: hide[0] is " "', '2: hide[2] is "x" a second time', '2: hide[3] is "del*"'],
  ],
  ['version: "1"\ntools: [t]', ['2: tools is ["t"]']],
  // fidelity gateway/intercept, same: `*` is a whole key. Other patterns name no tool.
  ['version: "1"\ntools:\n  delete_*: { rules: [] }', ['3: tools.delete_* names no tool']],
  // fidelity gateway/intercept, differs: Unknown keys are ignored. Here: They are refused, because a mistyped
  // `rules` would switch the rules off.
  ['version: "1"\ntools:\n  t:\n    rule: []', ['4: tools.t does not know "rule"']],
  ['version: "1"\ntools:\n  t:\n    rules: {}', ['4: tools.t.rules is {}']],
  [inRule('{ action: deny }'), ['5: tools.t.rules[0] has no name']],
  [inRule('{ name: "", action: deny }'), ['5: tools.t.rules[0].name is ""']],
  [
    inRule('{ name: n, action: allow }'),
    ['5: tools.t.rules[0].action is "allow"', expect.stringContaining('has no conditions')],
  ],
  [
    inRule('{ name: n, acton: deny, conditions: [] }'),
    ['5: tools.t.rules[0] does not know "acton"', '5: tools.t.rules[0].conditions is []'],
  ],
  [
    inRule('{ name: n, action: deny, conditions: [] }'),
    ['5: tools.t.rules[0].conditions stands beside action: deny'],
  ],
  [
    inRule('{ name: n, action: deny, rate_limit: 5/hour }'),
    ['5: tools.t.rules[0].action is "deny" beside rate_limit'],
  ],
  [
    inRule('{ name: n, rate_limit: 5/hour, conditions: [] }'),
    ['5: tools.t.rules[0].conditions stands beside rate_limit'],
  ],
  [inRule('{ name: n, rate_limit: 5/week }'), ['5: tools.t.rules[0].rate_limit is "5/week"']],
  [inRule('{ name: n, rate_limit: 0/hour }'), ['5: tools.t.rules[0].rate_limit is "0/hour"']],
  [inRule('{ name: n, rate_limit: 5 }'), ['5: tools.t.rules[0].rate_limit is 5']],
  [
    inRule('{ name: n, rate_limit: 5/hour }', '_global'),
    ['5: tools._global.rules[0].rate_limit counts calls of "_global"'],
  ],
  [
    inRule('{ name: n, rate_limit: 5/hour }', 'files.read'),
    // fidelity gateway/intercept, same: A tool with a dot in its name cannot be limited.
    ['5: tools.files.read.rules[0].rate_limit counts calls of "files.read"'],
  ],
  [
    inRule('{ name: n, rate_limit: 5/hour }\n      - { name: m, rate_limit: 6/hour }'),
    // fidelity gateway/intercept, same: Two limits over the same window on one tool are an error.
    ['6: tools.t.rules[1] uses the counter of line 5 again'],
  ],
])('%j', (text, problems) => {
  expect(problemsOf(text)).toEqual(problems)
})

const inCondition = (condition: string) => inRule(`{ name: n, conditions: [${condition}] }`)
const at = '5: tools.t.rules[0].conditions[0]'

it.each([
  ['{ path: args.x, op: equals, value: 1 }', [`${at}.op is "equals"`]],
  ['{ path: args.x, op: eq }', [`${at} has no value`]],
  ['{ path: x, op: eq, value: 1 }', [`${at}.path is "x"`]],
  ['{ path: args., op: eq, value: 1 }', [`${at}.path is "args."`]],
  ['{ path: args.x, op: in, value: 1 }', [`${at}.value is 1`]],
  ['{ path: args.x, op: in, value: [] }', [`${at}.value is []`]],
  ['{ path: args.x, op: lte, value: "5" }', [`${at}.value is "5"`]],
  ['{ path: args.x, op: exists, value: "yes" }', [`${at}.value is "yes"`]],
  ['{ path: args.x, op: regex, value: 5 }', [`${at}.value is 5`]],
  [
    '{ path: args.x, op: regex, value: "(" }',
    [expect.stringContaining(`${at}.value is not a pattern of RE2`)],
  ],
  [
    '{ path: args.x, op: regex, value: "(?=a)" }',
    [expect.stringContaining(`${at}.value is not a pattern of RE2`)],
  ],
  ['{ path: args.x, op: eq, value: 1, not: true }', [`${at} does not know "not"`]],
  ['{ path: state.t.calls, op: lt, value: 1 }', [`${at}.path is "state.t.calls"`]],
  ['args.x == 1', [`${at} is "args.x == 1"`]],
])('a condition %j', (condition, problems) => {
  expect(problemsOf(inCondition(condition))).toEqual(problems)
})

const inState = (state: string, conditions = '{ path: state.t.c, op: lte, value: 5 }') =>
  inRule(`{ name: n, conditions: [${conditions}], state: { counter: c, window: hour, ${state} } }`)

it.each([
  ['window: day', [expect.stringContaining('has the key "window" twice')]],
  ['increment: 0', ['5: tools.t.rules[0].state.increment is 0']],
  // fidelity gateway/intercept, differs: An `increment` of 0 or less counts as 1, or gives quota back. Here:
  // It is refused, because a policy means neither.
  ['increment: -1', ['5: tools.t.rules[0].state.increment is -1']],
  ['increment_from: amount', ['5: tools.t.rules[0].state.increment_from is "amount"']],
  [
    'increment: 1, increment_from: args.n',
    ['5: tools.t.rules[0].state.increment stands beside increment_from'],
  ],
  ['step: 1', ['5: tools.t.rules[0].state does not know "step"']],
])('a state block with %s', (state, problems) => {
  expect(problemsOf(inState(state))).toEqual(problems)
})

it('refuses two limits on one counter', () => {
  const twice = '{ path: state.t.c, op: lte, value: 5 }, { path: state.t.c, op: lt, value: 3 }'
  expect(problemsOf(inState('increment: 1', twice))).toEqual([
    '5: tools.t.rules[0].state limits state.t.c twice',
  ])
})

it('refuses two limits on the same calls over the same window', () => {
  const text = `${inState('increment: 1')}\n      - { name: m, rate_limit: 30/hour }`
  expect(problemsOf(text)).toEqual([
    '6: tools.t.rules[1] limits calls to 30 an hour, which line 5 limits to 5',
  ])
})

it('refuses one counter in two state blocks, though only one of them has a bound', () => {
  const unbounded = `{ name: m, conditions: [{ path: args.x, op: eq, value: 1 }], state: { counter: c, window: day } }`
  expect(problemsOf(`${inState('increment: 1')}\n      - ${unbounded}`)).toEqual([
    '6: tools.t.rules[1] uses the counter of line 5 again',
  ])
  const both = inRule(`${unbounded}\n      - ${unbounded}`)
  expect(problemsOf(both)).toEqual(['6: tools.t.rules[1] uses the counter of line 5 again'])
})

// fidelity gateway/intercept, same: A state block with `increment_from` and no bound denies a call without
// the argument.
it('denies a call without the amount of an unbounded counter, as Intercept does', () => {
  const text = inState('increment_from: args.n', '{ path: args.x, op: exists, value: true }')
  const { decide, outcome } = engineOf(text)
  expect(
    [
      { x: 1, n: 5 },
      { x: 1, n: 1e9 },
    ].map(args => outcome('t', args)),
  ).toEqual(['allow', 'allow'])
  for (const args of [{ x: 1 }, { x: 1, n: '5' }]) {
    expect(decide('t', args)).toEqual({ outcome: 'deny', rule: 'n', message: 'Internal policy error' })
  }
})

it('warns of two rules of one tool with the same name', () => {
  const text = inRule('{ name: n, rate_limit: 5/hour }\n      - { name: n, rate_limit: 9/day }')
  expect(readPolicy(text, 'p.yaml').warnings).toMatchObject([{ code: 'duplicate_rule_name', line: 6 }])
})

it('reports all problems at once, in the order of the file, with remedies', () => {
  const text = `${inRule('{ name: n, action: block }')}\ndefault: no\nhide: [x, x]`
  expect(problemsOf(text)).toHaveLength(4)
  expect(() => readPolicy(text, 'p.yaml')).toThrow(
    'p.yaml:5: tools.t.rules[0].action is "block": write one of evaluate, deny, require_approval, approve',
  )
})

// fidelity gateway/intercept, differs: Nothing says that a key is misspelt. Here: The error names the key
// that was probably meant, so that the policy can be corrected.
it('names the key that was probably meant', () => {
  expect(() => readPolicy('version: "1"\ndefualt: deny', 'p.yaml')).toThrow('"default" is probably meant')
})

// fidelity gateway/intercept, same: A counter moves only with an `lt` or `lte` of its own rule.
it('warns of a counter that never changes, a limit that is shortened, and a limit of no calls', () => {
  const codes = (value: string, op = 'lte') =>
    readPolicy(inState('increment: 1', `{ path: state.t.c, op: ${op}, value: ${value} }`), 'p').warnings.map(
      ({ code }) => code,
    )
  expect(codes('5', 'gte')).toEqual(['counter_stands_still'])
  expect(codes('2.5')).toEqual(['limit_cut'])
  expect(codes('1', 'lt')).toEqual(['limit_of_none'])
})

// fidelity gateway/intercept, same: The version may be the number 1. Without `default`, tools without rules
// are allowed.
it('accepts a version that YAML reads as a number, with a warning', () => {
  const { policy, warnings } = readPolicy('version: 1', 'p.yaml')
  expect([policy.default, warnings.map(({ code }) => code)]).toEqual(['allow', ['version_number']])
})
