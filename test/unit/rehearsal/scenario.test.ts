import { describe, expect, it } from 'vitest'
import { readScenarioFile, requireExpect } from '../../../servers/rehearsal/scenario.js'
import { temporaryFile } from '../../support/gateway/rehearse.js'

async function refusalOf(text: string): Promise<string> {
  const file = await temporaryFile('scenario.yaml', text)
  const error = await readScenarioFile(file).then(requireExpect).catch(String)
  return String(error).replaceAll(file, 'scenario.yaml')
}

describe('a limit of a scenario', () => {
  it('is a window by default', async () => {
    const text = 'steps:\n  - { call: room_status, limit: { calls: 30, per: 1m } }\n'
    const { scenario } = await readScenarioFile(await temporaryFile('scenario.yaml', text))
    expect(scenario.steps).toEqual([
      { call: 'room_status', limit: { calls: 30, per: 60_000, kind: 'window' } },
    ])
  })

  it.each([
    [
      'a bucket without a refill',
      '{ calls: 30, kind: bucket }',
      'scenario.yaml:2: scenario.steps[0].limit.per is missing: the length of a window, or the time in which an empty bucket refills, e.g. 60s',
    ],
    [
      'a bucket that refills in no time',
      '{ calls: 30, per: 0, kind: bucket }',
      'scenario.yaml:2: scenario.steps[0].limit.per is 0: the length of a window, or the time in which an empty bucket refills, e.g. 60s',
    ],
    [
      'an unknown kind',
      '{ calls: 30, per: 60s, kind: sliding }',
      'scenario.yaml:2: scenario.steps[0].limit.kind is "sliding": a limit is a window or a bucket',
    ],
    [
      'a number alone',
      '30',
      'scenario.yaml:2: scenario.steps[0].limit is 30: a limit is a map with calls, per and kind (window or bucket)',
    ],
    [
      'another field',
      '{ calls: 30, per: 60s, burst: 5 }',
      'scenario.yaml:2: scenario.steps[0].limit does not know "burst": there are calls, per, kind',
    ],
    [
      'a time that is none',
      '{ calls: 30, per: soon }',
      'scenario.yaml:2: scenario.steps[0].limit.per is a number of milliseconds, or a number and one of the units ms, s, m, h, d, e.g. 60s',
    ],
  ])('is refused with its line if it is %s', async (_, limit, sentence) => {
    expect(await refusalOf(`steps:\n  - { call: room_status, limit: ${limit} }\n`)).toBe(
      `Refusal: ${sentence}`,
    )
  })

  it('is refused together with another expectation', async () => {
    const step = '{ call: room_status, expect: deny, limit: { calls: 30, per: 60s } }'
    expect(await refusalOf(`steps:\n  - ${step}\n`)).toContain(
      'scenario.yaml:2: scenario.steps[0] has a limit and expects deny: leave out one of them',
    )
  })
})

describe('a scenario without a policy', () => {
  it('is refused with the line of each call without expect', async () => {
    const text = [
      'steps:',
      '  - { call: room_status, expect: allow }',
      '  - { advance: 1m }',
      '  - call: create_room',
      '  - batch:',
      '      - { call: room_status, expect: deny }',
      '      - { call: create_room }',
    ].join('\n')
    expect(await refusalOf(text)).toBe(
      'Refusal: scenario.yaml:4: scenario.steps[2] has no expect; scenario.yaml:7: scenario.steps[3].batch[1] has no expect: ' +
        'without a policy, give each call an expect (allow, deny or approve) or a limit, e.g. {calls: 30, per: 60s}',
    )
  })
})

describe('the names of tools in a scenario', () => {
  const steps = 'steps:\n  - { call: room_status, expect: allow }\n'

  it.each([
    ['prefix-', 'scenario.yaml:1: scenario.tools is "prefix-", without {tool}'],
    ['"{name}"', 'scenario.yaml:1: scenario.tools is "{name}", with {name}'],
    [
      '{ room_statu: x }',
      'scenario.yaml:1: scenario.tools names "room_statu", which is no tool of a stand-in: "room_status" is probably meant',
    ],
    ['7', 'scenario.yaml:1: scenario.tools is a pattern, e.g. "inst-{tool-kebab}", or the name'],
  ])('%s is refused with its line', async (tools, sentence) => {
    expect(await refusalOf(`tools: ${tools}\n${steps}`)).toContain(sentence)
  })
})
