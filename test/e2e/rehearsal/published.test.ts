import { describe, expect, it } from 'vitest'
import { rehearse } from '../../../servers/rehearsal/index.js'
import { fixturePolicies, policyFile, wrongOf } from '../../support/gateway/rehearse.js'

describe('a rehearsal of each policy in fixtures/', () => {
  it.each(fixturePolicies())('%s is carried out as it says', async name => {
    const rehearsal = await rehearse({ policy: policyFile(name) })
    expect(wrongOf(rehearsal)).toEqual([])
    expect(rehearsal.ok).toBe(true)
    expect(rehearsal.counts.ok).toBeGreaterThan(10)
  })
})

describe('a rehearsal', () => {
  it('uses a limit up, with failures and a race, and looks what is left for whom and when', async () => {
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

  it('tries conditions with what holds, what does not, and nothing', async () => {
    const { rows } = await rehearse({ policy: policyFile('intercept/safebot-strict.yaml') })
    const tried = rows.filter(({ step }) => step.includes('args.'))
    expect(tried.map(({ step, expected }) => [step, expected])).toEqual([
      ['create_room, args.base exists does not hold', 'deny: base'],
      ['create_room, args.base left out', 'allow'],
      ['send_message, args.url regex holds', 'allow'],
      ['send_message, args.url regex does not hold', 'deny: relay'],
      ['send_message, args.url left out', 'deny: relay'],
    ])
  })

  it('tells what the policy leaves open', async () => {
    const { open } = await rehearse({ policy: policyFile('policylayer/safebot.json') })
    expect(open.map(({ message }) => message).join('\n')).toMatch(/next_task reads like a read/)
    expect(open).toContainEqual({
      code: 'secret',
      message: 'results carry the key of a room, as seen here: create_room',
    })
  })
})
