import { describe, expect, it } from 'vitest'
import { rehearse } from '../../../servers/rehearsal/index.js'
import { temporaryFile, wrongOf } from '../../support/gateway/rehearse.js'
import { type Script, scripted } from '../../support/gateway/scripted.js'

const DENIED = { result: { content: [{ type: 'text', text: 'no' }], isError: true } }
const STEPS = [
  { call: 'room_status', args: { url: '$room' }, expect: 'allow' },
  { call: 'create_room', expect: 'deny' },
  { batch: [{ call: 'room_status', args: { url: '$room' }, expect: 'allow' }] },
  { list: 'safebot', hides: ['create_room'] },
]

const KEBAB: Script = {
  nameOf: tool => `inst-${tool.replaceAll('_', '-')}`,
  hides: tool => tool === 'create_room',
  deny: ({ tool }) => (tool === 'create_room' ? DENIED : undefined),
}

const scenario = (more: object = {}) =>
  temporaryFile('scenario.json', JSON.stringify({ steps: STEPS, ...more }))

describe('tools that a gateway renames', () => {
  it.each<[string, object, string | undefined]>([
    ['a pattern of the command line', {}, 'inst-{tool-kebab}'],
    ['a pattern of the scenario', { tools: 'inst-{tool-kebab}' }, undefined],
    [
      'a map of the scenario',
      {
        tools: Object.fromEntries(
          [
            'room_status',
            'create_room',
            'send_message',
            'get_transcript',
            'wait_for_messages',
            'next_task',
            'claim_task',
            'ack_task',
          ].map(tool => [tool, `inst-${tool.replaceAll('_', '-')}`]),
        ),
      },
      undefined,
    ],
  ])('are called by %s', async (_, more, tools) => {
    const rehearsal = await rehearse({
      scenario: await scenario(more),
      via: scripted(KEBAB),
      ...(tools !== undefined && { tools }),
    })
    expect(wrongOf(rehearsal)).toEqual([])
    expect(rehearsal.counts).toEqual({ ok: 4, wrong: 0, unchecked: 0 })
  })

  it('are called by a pattern with the name of their server', async () => {
    const rehearsal = await rehearse({
      scenario: await scenario(),
      via: scripted({ ...KEBAB, nameOf: tool => `safebot__${tool}` }),
      tools: '{server}__{tool}',
    })
    expect(wrongOf(rehearsal)).toEqual([])
  })

  it('are called with ids of every kind', async () => {
    const ids = new Set<unknown>()
    const policy = await temporaryFile('policy.yaml', 'version: "1"\nhide: [create_room]\n')
    const rehearsal = await rehearse({
      policy,
      via: scripted({
        ...KEBAB,
        deny(call) {
          ids.add(call.id)
          return KEBAB.deny?.(call)
        },
      }),
      tools: 'inst-{tool-kebab}',
      watchMs: 0,
    })
    expect(rehearsal.counts.ok).toBeGreaterThan(0)
    expect([ids.has('seven'), ids.has(0)]).toEqual([true, true])
  })

  it('are not found without the option', async () => {
    const rehearsal = await rehearse({ scenario: await scenario(), via: scripted(KEBAB) })
    expect(rehearsal.counts.wrong).toBeGreaterThan(0)
  })

  it.each<[string, string | Record<string, string>]>([
    ['a pattern', 'other-{tool}'],
    ['a map', { room_status: 'status' }],
  ])('are refused if the gateway lists none of them: %s', async (_, tools) => {
    const rehearsal = rehearse({ scenario: await scenario(), via: scripted(KEBAB), tools })
    await expect(rehearsal).rejects.toMatchObject({
      code: 'no_such_tools',
      sentence: expect.stringMatching(
        /^the gateway lists no tool that .* names: it lists inst-send-message, .*: name the tools as the gateway does/,
      ),
    })
  })
})
