import { describe, expect, it } from 'vitest'
import { engineOf, intercept, policyLayer } from '../../../support/gateway/policy.js'

const needs = (name: string, arg: string) => ({
  name,
  conditions: [{ path: `args.${arg}`, op: 'eq', value: 'yes' }],
})
const yes = { a: 'yes', b: 'yes', every: 'yes' }

describe('Intercept', () => {
  const policy = intercept(
    { t: [needs('first', 'a'), needs('second', 'b')], hidden: [], '*': [needs('every', 'every')] },
    { hide: ['hidden'] },
  )

  // fidelity gateway/intercept, same: The order is hidden, default deny, the rules of the tool, the rules of
  // `*`. The first failure counts.
  it.each<[string, unknown, string]>([
    ['hidden', yes, '(hidden)'],
    // fidelity gateway/intercept, same: `*` does not allow a tool that the default denies.
    ['unlisted', yes, '(default deny)'],
    ['t', {}, 'first'],
    ['t', { a: 'yes' }, 'second'],
    ['t', { ...yes, every: 'no' }, 'every'],
    ['t', yes, 'allow'],
  ])('%s with %j: %s', (tool, args, outcome) => {
    expect(engineOf(policy).outcome(tool, args)).toBe(outcome)
  })

  // fidelity gateway/intercept, same: A denial has the text of `on_deny`, or a text with the name of the
  // rule. The default has its own text.
  it('denies with the text of the rule, or with its default text', () => {
    const { decide } = engineOf(
      intercept({
        t: [{ name: 'n', action: 'deny', on_deny: 'Never.' }],
        u: [{ name: 'n', action: 'deny' }],
      }),
    )
    expect([decide('t'), decide('u'), decide('v')]).toEqual([
      { outcome: 'deny', rule: 'n', message: 'Never.' },
      { outcome: 'deny', rule: 'n', message: 'Denied by rule "n"' },
      { outcome: 'deny', rule: '(default deny)', message: 'Tool "v" is not permitted by policy' },
    ])
  })

  it('applies rules for every tool also if the default is allow', () => {
    const { outcome } = engineOf(intercept({ '*': [{ name: 'none', action: 'deny' }] }, { default: 'allow' }))
    expect(outcome('anything')).toBe('none')
  })

  // fidelity gateway/intercept, same: Quota is checked after all conditions.
  it('judges conditions before quota, in any order of the file', () => {
    const { outcome } = engineOf(
      intercept({ t: [{ name: 'limit', rate_limit: '1/hour' }, needs('later', 'a')] }),
    )
    expect([outcome('t', {}), outcome('t', yes), outcome('t', {}), outcome('t', yes)]).toEqual([
      'later',
      'allow',
      'later',
      'limit',
    ])
  })
})

describe('PolicyLayer', () => {
  // fidelity gateway/policylayer, same: `deny_if` denies if all of its conditions hold. Without conditions it
  // always denies.
  // fidelity gateway/policylayer, differs: `require` denies unless its conditions hold, and its order is not
  // published. Here: It is checked before `deny_if`, because some order is needed.
  it('judges require, then deny_if, then limits', () => {
    const { outcome } = engineOf(
      policyLayer({
        t: {
          require: [{ conditions: [{ path: 'args.reason', op: 'exists', value: true }] }],
          deny_if: [
            {
              conditions: [
                { path: 'args.amount', op: 'gt', value: 5 },
                { path: 'args.force', op: 'eq', value: true },
              ],
            },
          ],
          limits: [{ counter: 'c', window: 'hour', max: 1, scope: 'grant' }],
        },
        never: { deny_if: [{ conditions: [] }] },
      }),
      'policy.json',
    )
    const reason = 'since'
    expect([
      outcome('t', {}),
      outcome('t', { reason, amount: 6, force: true }),
      outcome('t', { reason, amount: 6 }),
      outcome('t', { reason }),
      outcome('never', {}),
    ]).toEqual([
      '/tools/t/require/args.reason-exists',
      '/tools/t/deny_if/args.amount-gt,args.force-eq',
      'allow',
      '/tools/t/limits/c',
      '/tools/never/deny_if/0',
    ])
  })

  it('passes a call without the argument that a denial names', () => {
    const denyIf = [{ conditions: [{ path: 'args.branch', op: 'neq', value: 'dev' }] }]
    const { outcome } = engineOf(policyLayer({ t: { deny_if: denyIf } }), 'policy.json')
    expect([outcome('t', { branch: 'main' }), outcome('t', {})]).toEqual([
      '/tools/t/deny_if/args.branch-neq',
      'allow',
    ])
  })
})

describe('the arguments of a call', () => {
  const { outcome } = engineOf(
    intercept({ t: [], deep: [{ name: 'n', conditions: [{ path: 'args.a.b', op: 'eq', value: 1 }] }] }),
  )

  // fidelity gateway/intercept, differs: Arguments that are a list or a text pass without a check. Here: They
  // are denied, because no rule can check them.
  it.each([[[1]], ['text'], [5], [true], [[]]])('%j is denied without a rule for it', args => {
    expect(outcome('t', args)).toBe('(arguments)')
  })

  it.each([[undefined], [null], [{}]])('%j is a call without arguments', args => {
    expect(outcome('t', args)).toBe('allow')
  })

  it.each([
    [{ a: { b: 1 } }, 'allow'],
    [{ 'a.b': 1 }, 'n'],
    [{ a: [{ b: 1 }] }, 'n'],
    [{ a: null }, 'n'],
  ])('a path leads only into objects: %j', (args, expected) => {
    expect(outcome('deep', args)).toBe(expected)
  })

  it('does not include the members that every object has', () => {
    const rules = [{ name: 'n', conditions: [{ path: 'args.constructor', op: 'exists', value: true }] }]
    expect(engineOf(intercept({ t: rules })).outcome('t', {})).toBe('n')
  })
})

describe('hiding', () => {
  it.each([
    [['a'], 'a', true],
    [['a'], 'b', false],
    [['*'], 'b', true],
    [[], 'a', false],
  ])('%j hides %s: %s', (hide, tool, hidden) => {
    const { engine, outcome } = engineOf(intercept({ a: [], b: [] }, { hide }))
    expect([engine.hides(tool), outcome(tool)]).toEqual([hidden, hidden ? '(hidden)' : 'allow'])
  })

  // fidelity gateway/intercept, same: A tool that is only denied stays in the list.
  it('does not remove a tool from the list that is only denied', () => {
    expect(engineOf(intercept({})).engine.hides('t')).toBe(false)
  })
})

describe('approval', () => {
  it.each([
    [
      'policy.yaml',
      intercept({
        t: [
          { name: 'ask', action: 'approve' },
          { name: 'l', rate_limit: '1/hour' },
        ],
      }),
      'ask',
      'l',
    ],
    [
      'policy.json',
      policyLayer({
        t: { approve: true, limits: [{ counter: 'l', window: 'hour', max: 1, scope: 'grant' }] },
      }),
      '/tools/t/approve',
      '/tools/t/limits/l',
    ],
  ])('in %s: is requested each time, and then passes if quota allows it', (file, text, ask, limit) => {
    const { decide, outcome } = engineOf(text, file)
    expect(decide('t')).toEqual({
      outcome: 'approve',
      rule: ask,
      message: `Needs approval by rule "${ask}"`,
    })
    expect([outcome('t'), outcome('t', {}, { approved: true })]).toEqual([ask, 'allow'])
    expect([outcome('t'), outcome('t', {}, { approved: true })]).toEqual([limit, limit])
  })

  it('does not apply before a rule that denies', () => {
    const rules = [{ name: 'ask', action: 'approve' }, needs('must', 'a')]
    const { outcome } = engineOf(intercept({ t: rules }))
    expect([outcome('t'), outcome('t', {}, { approved: true }), outcome('t', yes)]).toEqual([
      'must',
      'must',
      'ask',
    ])
  })
})
