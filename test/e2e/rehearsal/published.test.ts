import { describe, expect, it } from 'vitest'
import { DIALECT_VERSIONS, readPolicyFile } from '../../../servers/gateway/policy/index.js'
import { builtin, rehearse } from '../../../servers/rehearsal/index.js'
import { fixturePolicies, policyFile, temporaryFile, wrongOf } from '../../support/gateway/rehearse.js'

const [MARCH, APRIL] = DIALECT_VERSIONS

describe('a rehearsal of each policy in fixtures/', () => {
  const each = DIALECT_VERSIONS.flatMap(dialect => fixturePolicies().map(name => ({ name, dialect })))
  it.each(each)('$name is carried out by $dialect as written', async ({ name, dialect }) => {
    const rehearsal = await rehearse({ policy: policyFile(name), dialect })
    expect(wrongOf(rehearsal)).toEqual([])
    expect(rehearsal.ok).toBe(true)
    expect(rehearsal.counts.ok).toBeGreaterThan(10)
    const last = rehearsal.rows.filter(({ step }) => step.endsWith(', one more'))
    expect(last.filter(({ expected }) => !expected.startsWith('deny: '))).toEqual([])
  })
})

describe('the quota of a tool error', () => {
  it.each([
    [MARCH, 'allow × 7', ['deny', 'deny']],
    [APRIL, 'allow × 8', ['deny', 'deny']],
  ] as const)('follows the dialect: %s', async (dialect, untilLast, after) => {
    const { rows } = await rehearse({ policy: policyFile('intercept/safebot.yaml'), dialect })
    const limit = rows.filter(({ group }) => group.startsWith('wait_for_messages a minute'))
    const expected = (step: string) => limit.find(row => row.step === `wait_for_messages, ${step}`)?.expected
    expect(expected('the upstream answers with a tool error')).toBe('allow')
    expect(expected('until one call is left')).toBe(untilLast)
    const denied = [expected('one more'), expected('without an id')].map(text => text?.split(':')[0])
    expect(denied).toEqual(after)
  })

  it.each([
    [MARCH, APRIL],
    [APRIL, MARCH],
  ])('is wrong in a gateway with another dialect than %s', async (dialect, other) => {
    const policy = policyFile('intercept/safebot.yaml')
    const gateway = (await readPolicyFile(policy, other)).policy
    const rehearsal = await rehearse({ policy, dialect, via: builtin(gateway) })
    expect(wrongOf(rehearsal).join('\n')).toContain('wait_for_messages')
  })
})

it('a published Intercept policy with an approval is carried out as written', async () => {
  const text = `version: "1"
default: deny
tools:
  delete_resource:
    rules: [{ name: ask-first, action: require_approval, approval_timeout: "30m" }]
  list_resources: { rules: [{ name: listing, rate_limit: 3/minute }] }
`
  const policy = await temporaryFile('policy.yaml', text)
  const rehearsal = await rehearse({ policy, dialect: APRIL })
  expect(wrongOf(rehearsal)).toEqual([])
  const [asked, approved] = rehearsal.rows.filter(({ group }) => group === 'delete_resource')
  expect(asked).toMatchObject({
    expected: 'approve: ask-first',
    saw: 'denied: JSON-RPC error -32003',
    upstream: 'not reached',
  })
  expect(approved).toMatchObject({ expected: 'allow', upstream: 'reached' })
})

describe('a rehearsal', () => {
  it('uses up a limit, with failures and a race, and checks the rest for each caller and window', async () => {
    const { rows } = await rehearse({ policy: policyFile('policylayer/safebot.json') })
    const limit = rows.filter(({ group }) => group.endsWith('wait_for_messages_rate: 10 per minute'))
    const denied = 'deny: /tools/wait_for_messages/limits/wait_for_messages_rate'
    expect(limit.map(({ step, expected, upstream }) => [step, expected, upstream])).toEqual([
      ['wait_for_messages, the upstream answers with a tool error', 'allow', 'reached'],
      ['wait_for_messages, the upstream answers with HTTP 503', 'allow', 'reached'],
      ['wait_for_messages × 2, the upstream answers with a JSON-RPC error', 'allow × 2', 'reached 2 ×'],
      ['wait_for_messages, until one call is left', 'allow × 7', 'reached 7 ×'],
      ['wait_for_messages × 4, at once', `allow, ${denied} × 3`, 'reached 1 ×'],
      ['wait_for_messages, one more', denied, 'not reached'],
      ['wait_for_messages, with other values', denied, 'not reached'],
      ['create_room, while wait_for_messages is used up', 'allow', 'reached'],
      ['wait_for_messages, in a new session', denied, 'not reached'],
      ['wait_for_messages, without a session', denied, 'not reached'],
      ['wait_for_messages, without an id', denied, 'not reached'],
      ['wait_for_messages, by another caller', 'allow', 'reached'],
      ['wait_for_messages, shortly before the minute is over', denied, 'not reached'],
      ['wait_for_messages, once the minute is over', 'allow', 'reached'],
    ])
  })

  it('tries each condition with values that fulfil it, values that do not, and no value', async () => {
    const { rows } = await rehearse({ policy: policyFile('intercept/safebot-strict.yaml'), dialect: MARCH })
    const tried = rows.filter(({ step }) => step.includes('args.'))
    expect(tried.map(({ step, expected }) => [step, expected])).toEqual([
      ['create_room, args.base exists does not hold', 'deny: base'],
      ['create_room, args.base left out', 'allow'],
      ['send_message, args.url regex holds', 'allow'],
      ['send_message, args.url regex does not hold', 'deny: relay'],
      ['send_message, args.url left out', 'deny: relay'],
    ])
  })

  it('lists what the policy leaves open', async () => {
    const { open } = await rehearse({ policy: policyFile('policylayer/safebot.json') })
    expect(open.map(({ message }) => message).join('\n')).toMatch(/next_task looks like a read/)
    expect(open).toContainEqual({
      code: 'secret',
      message: 'results carry the key of a room, as seen here: create_room',
    })
  })
})
