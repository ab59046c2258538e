import { PassThrough } from 'node:stream'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { assertEqual } from '../../../servers/demo/agents.js'
import { type Narrate, Narrator } from '../../../servers/demo/narrator.js'
import { Clock } from '../../../shared/clock/clock.js'
import { until } from '../../support/until.js'

function setUp({ fast = true, terminal = false } = {}) {
  const clock = new Clock({ mode: 'manual' })
  const output = Object.assign(new PassThrough({ encoding: 'utf8' }), { isTTY: terminal })
  const upstream: string[] = []
  const narrator = new Narrator(output, upstream, fast ? null : clock)
  return { clock, upstream, narrator, told: () => String(output.read() ?? '') }
}

/** A scene that is over at once, unless it is given something to do. */
function scene(title: string, play: (stage: undefined, step: Narrate) => Promise<void> = async () => {}) {
  return { title, about: `about ${title}`, play }
}

/** Whether it has come to its end, once everything that could go on has. */
async function isOver(work: Promise<unknown>): Promise<boolean> {
  let over = false
  const end = () => {
    over = true
  }
  work.then(end, end)
  await new Promise(resolve => setImmediate(resolve))
  return over
}

describe('a scene', () => {
  it('is printed with its number, its title and its subject', async () => {
    const { narrator, told } = setUp()
    await narrator.play([scene('one'), scene('two')], undefined)
    expect(told()).toBe('\n[1/2] one\n\n  about one\n\n\n[2/2] two\n\n  about two\n\n')
  })

  it.each([
    [
      'an expectation',
      () => assertEqual('the tier', 'paid', 'anonymous'),
      'the tier: expected "anonymous", got "paid"',
    ],
    [
      'anything else',
      () => {
        throw new Error('connect ECONNREFUSED')
      },
      'Error: connect ECONNREFUSED',
    ],
  ])('that fails by %s is named, with the reason, and is the last', async (_name, fail, reason) => {
    const { narrator, told } = setUp()
    const failed = narrator.play([scene('one', async () => fail()), scene('two')], undefined)
    await expect(failed).rejects.toThrow(`scene 1 of 2 ("one") failed: ${reason}`)
    expect(told()).not.toContain('two')
  })
})

describe('a step', () => {
  it('prints who did what, what the caller saw, and what reached the upstream', async () => {
    const { narrator, upstream, told } = setUp()
    upstream.push('not reached')
    await narrator.step('ben', 'calls it', 'denied')
    await narrator.step('clock', '+60 s')
    expect(told().split('\n')).toEqual([
      '  ben       calls it',
      '            saw       denied',
      '            upstream  not reached',
      '  clock     +60 s',
      '',
    ])
  })
})

describe('the pace', () => {
  it('gives five seconds to read a scene', async () => {
    const { clock, narrator } = setUp({ fast: false })
    const played = narrator.play([scene('one'), scene('two')], undefined)
    await clock.whenPending(1)
    await clock.advance(4999)
    expect(await isOver(played)).toBe(false)
    await clock.advance(1)
    expect(await isOver(played)).toBe(true)
  })

  it('gives 0.7 seconds to read a step', async () => {
    const { clock, narrator } = setUp({ fast: false })
    const step = narrator.step('ana', 'something')
    await clock.advance(699)
    expect(await isOver(step)).toBe(false)
    await clock.advance(1)
    await until(() => isOver(step))
  })

  it('does not wait with --fast, nor after the last scene', async () => {
    for (const [fast, titles] of [
      [true, ['one', 'two']],
      [false, ['two']],
    ] as const) {
      const { clock, narrator } = setUp({ fast })
      const scenes = titles.map(title => scene(title))
      await narrator.play(scenes, undefined)
      expect(clock.pending).toBe(0)
    }
  })
})

describe('colours', () => {
  beforeEach(() => {
    vi.stubEnv('NO_COLOR', undefined)
    return () => vi.unstubAllEnvs()
  })

  /** The first line of a step. */
  async function step(terminal: boolean): Promise<string | undefined> {
    const { narrator, told } = setUp({ terminal })
    await narrator.step('ana', 'waits')
    return told().split('\n')[0]
  }

  const plain = '  ana       waits'

  it('are for terminals', async () => {
    expect(await step(true)).toBe('  \u001b[36mana       \u001b[39mwaits')
    expect(await step(false)).toBe(plain)
  })

  it('are left out with NO_COLOR', async () => {
    vi.stubEnv('NO_COLOR', '1')
    expect(await step(true)).toBe(plain)
    vi.stubEnv('NO_COLOR', '')
    expect(await step(true)).not.toBe(plain)
  })
})
