import { describe, expect, it } from 'vitest'
import { rehearse, reportText } from '../../../servers/rehearsal/index.js'
import { policyFile, straightTo, temporaryFile, wrongOf } from '../../support/gateway/rehearse.js'

const POLICY = policyFile('policylayer/safebot.json')

async function scenario(steps: unknown[], more: object = {}): Promise<string> {
  return temporaryFile('scenario.json', JSON.stringify({ steps, ...more }))
}

describe('a scenario from a file', () => {
  it.each([
    ['policylayer/instanode.json', 'claim-a-database.yaml'],
    ['policylayer/safebot.json', 'work-on-a-room.json'],
  ])('%s: %s', async (policy, name) => {
    const file = policyFile(`../scenarios/${name}`)
    expect(wrongOf(await rehearse({ policy: policyFile(policy), scenario: file }))).toEqual([])
  })

  it('reports where its author expects something else than the policy says', async () => {
    const file = await scenario([{ call: 'room_status', args: { url: '$room' }, expect: 'deny' }])
    const rehearsal = await rehearse({ policy: POLICY, scenario: file })
    expect(wrongOf(rehearsal)).toEqual(['room_status: the scenario expects deny, and the policy says allow'])
  })

  it('does not check rows that need time that cannot pass', async () => {
    const call = { call: 'room_status', args: { url: '$room' } }
    const file = await scenario([call, { advance: '1m' }, call])
    const rehearsal = await rehearse({ policy: POLICY, scenario: file, via: straightTo('safebot') })
    expect(rehearsal.rows.map(({ mark }) => mark)).toEqual(['ok', 'unchecked'])
    expect(reportText(rehearsal)).toContain('Not checked:\n  - room_status: needs the end of a window')
  })

  it.each([
    [
      [{ call: 'room_status', args: { url: '$rooom' } }],
      '$rooom refers to no value: the known references are $room',
    ],
    [[{ cal: 'room_status' }], 'scenario.steps[0] is "cal", which is no kind of step'],
    [
      [{ advance: 'soon' }],
      'scenario.steps[0].advance is a number of milliseconds, or a number and one of the units',
    ],
    [[{ call: 'room_status', expect: 'maybe' }], 'scenario.steps[0].expect is "maybe"'],
    [[], 'scenario.steps is []'],
  ])('is refused if it is invalid: %j', async (steps, why) => {
    const file = await scenario(steps)
    await expect(rehearse({ policy: POLICY, scenario: file })).rejects.toMatchObject({
      sentence: expect.stringContaining(why),
    })
  })
})

describe('approvals', () => {
  it('are requested, given, and used once', async () => {
    const policy = JSON.stringify({
      version: '1',
      default: 'deny',
      tools: { create_room: { approve: true } },
    })
    const file = await temporaryFile('policy.json', policy)
    const call = { call: 'create_room', expect: 'approve' }
    const rehearsal = await rehearse({
      policy: file,
      scenario: await scenario([call, { approve: true }, call]),
    })
    expect(rehearsal.rows.map(({ expected, upstream, mark }) => [expected, upstream, mark])).toEqual([
      ['approve: /tools/create_room/approve', 'not reached', 'ok'],
      ['allow', 'reached', 'ok'],
      ['approve: /tools/create_room/approve', 'not reached', 'ok'],
    ])
  })
})
