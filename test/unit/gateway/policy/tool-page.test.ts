import { describe, expect, it } from 'vitest'
import { readPolicy } from '../../../../servers/gateway/policy/read-policy.js'
import { engineOf, problemsOf } from '../../../support/gateway/policy.js'

const page = (rule: string) => `tools:\n  claim_task:\n    rules:\n      - ${rule}`

describe('the form printed on the tool pages', () => {
  // fidelity gateway/tool-page, differs: Neither product accepts the form of the tool pages. Here: It is read
  // with a warning, so that the examples of the pages can be tried.
  it('is accepted with a warning that neither product accepts it', () => {
    const { dialect, warnings } = readPolicy(
      page('action: allow'),
      'io-github-alexkirienko-safebot-chat.yaml',
    )
    expect(dialect).toBe('policylayer-page')
    expect(warnings).toMatchObject([{ code: 'page_form', level: 'warning' }])
  })

  it('is read from JSON as well', () => {
    const text = '{"tools":{"claim_task":{"rules":[{"action":"deny","reason":"No."}]}}}'
    expect(readPolicy(text, 'policy.json').dialect).toBe('policylayer-page')
  })

  // fidelity gateway/tool-page, same: `action: allow` allows a tool. Other tools are allowed without a
  // `default`.
  it('allows other tools by default', () => {
    expect(engineOf(page('action: allow')).outcome('ack_task')).toBe('allow')
    expect(engineOf(`default: deny\n${page('action: allow')}`).outcome('ack_task')).toBe('(default deny)')
  })

  // fidelity gateway/tool-page, same: `action: deny` shows its reason to the agent.
  it('denies with its reason', () => {
    expect(engineOf(page('{ action: deny, reason: Ask a person. }')).decide('claim_task')).toEqual({
      outcome: 'deny',
      rule: '/tools/claim_task/rules/0',
      message: 'Ask a person.',
    })
  })

  // fidelity gateway/tool-page, same: `rate_limit: {max, window}` allows `max` calls in `window` seconds.
  it('counts calls in seconds, for each grant', async () => {
    const { outcome, clock } = engineOf(page('rate_limit: { max: 2, window: 60 }'))
    const calls = (grant: string) => Array.from({ length: 3 }, () => outcome('claim_task', {}, { grant }))
    expect(calls('a')).toEqual(['allow', 'allow', '/tools/claim_task/rules/0'])
    expect(calls('b')).toEqual(['allow', 'allow', '/tools/claim_task/rules/0'])
    await clock.advance(60_000)
    expect(outcome('claim_task', {}, { grant: 'a' })).toBe('allow')
  })

  // fidelity gateway/tool-page, differs: Approval can be required, and the form is not published. Here: It is
  // `action: require_approval`, because Intercept has that form.
  it('requires approval', () => {
    expect(engineOf(page('action: require_approval')).decide('claim_task')).toMatchObject({
      outcome: 'approve',
    })
  })
})

it.each([
  ['{ action: maybe, reason: x }', ['4: tools.claim_task.rules[0].action is "maybe"']],
  ['reason: x', ['4: tools.claim_task.rules[0] says nothing']],
  ['{ action: allow, rate_limit: { max: 10 } }', ['4: tools.claim_task.rules[0].rate_limit has no window']],
  [
    '{ rate_limit: { max: 10, window: minute } }',
    ['4: tools.claim_task.rules[0].rate_limit.window is "minute"'],
  ],
  [
    '{ action: deny, rate_limit: { max: 10, window: 60 } }',
    ['4: tools.claim_task.rules[0].rate_limit stands beside action: deny'],
  ],
  [
    'action: allow\n      - { action: deny, reason: x }',
    ['2: tools.claim_task is allowed by one rule and denied by another'],
  ],
  [
    '{ rate_limit: { max: 1, window: 60 } }\n      - { rate_limit: { max: 2, window: 60 } }',
    [expect.stringContaining('5: tools.claim_task.rules[1] limits calls to 2')],
  ],
])('%j is refused', (rule, problems) => {
  expect(problemsOf(page(rule))).toEqual(problems)
})

it('with a version or names, it is read as an invalid Intercept policy', () => {
  expect(problemsOf(`version: "1"\n${page('action: allow')}`)).toEqual([
    '5: tools.claim_task.rules[0] has no name',
    '5: tools.claim_task.rules[0].action is "allow"',
    '5: tools.claim_task.rules[0] has no conditions',
  ])
  expect(problemsOf(page('{ name: n, action: deny }'))).toEqual(['1: has no version'])
})
