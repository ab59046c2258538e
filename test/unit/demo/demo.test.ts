import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { assertDifferent, assertEqual, assertPresent } from '../../../servers/demo/assertions.js'
import { Narrator, paintFor } from '../../../servers/demo/narrator.js'
import { Pace } from '../../../servers/demo/pace.js'
import { Clock } from '../../../shared/clock/clock.js'
import { until } from '../../support/until.js'

const plain = paintFor({}, {})

function stage({ fast = true, tty = true } = {}) {
  const clock = new Clock({ mode: 'manual' })
  const pace = new Pace(clock, fast)
  const input = Object.assign(new PassThrough(), { isTTY: tty })
  let told = ''
  const write = (text: string) => {
    told += text
  }
  const narrator = new Narrator({ write, paint: plain, pace, titles: ['one', 'two'] })
  return { clock, pace, input, narrator, told: () => told }
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
  it('is told with its number and title, and leaves what it made', async () => {
    const { narrator, told } = stage()
    expect(await narrator.scene('two', async () => 'a thing')).toBe('a thing')
    expect(told()).toBe('\n[2/2] two\n\n')
  })

  it.each([
    [
      'an expectation',
      () => assertEqual('the tier', 'paid', 'anonymous'),
      'the tier: expected "anonymous", got "paid"',
    ],
    [
      'an expectation of another',
      () => assertDifferent('the claim', 'a', 'a'),
      'the claim: expected another value than "a"',
    ],
    [
      'something missing',
      () => void assertPresent('the room', undefined),
      'the room: expected a value, got none',
    ],
    [
      'anything else',
      () => {
        throw new Error('connect ECONNREFUSED')
      },
      'Error: connect ECONNREFUSED',
    ],
  ])('that fails by %s is named, with the reason', async (_name, fail, reason) => {
    const { narrator } = stage()
    const failed = narrator.scene('one', async () => fail())
    await expect(failed).rejects.toThrow(`scene 1 of 2 ("one") failed: ${reason}`)
  })
})

describe('a step', () => {
  it('says who did what, what that one saw, and what the upstream has of it', async () => {
    const { narrator, told } = stage()
    await narrator.step('ben', 'calls it', 'denied', 'not reached')
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
    const { clock, narrator } = stage({ fast: false })
    const scene = narrator.scene('one', async () => undefined)
    await clock.whenPending(1)
    await clock.advance(4999)
    expect(await isOver(scene)).toBe(false)
    await clock.advance(1)
    expect(await isOver(scene)).toBe(true)
  })

  it('does not wait when it is to be fast, nor behind the last scene', async () => {
    for (const [fast, title] of [
      [true, 'one'],
      [false, 'two'],
    ] as const) {
      const { clock, narrator } = stage({ fast })
      await narrator.scene(title, async () => undefined)
      expect(clock.pending).toBe(0)
    }
  })

  it('goes on at once when Enter is pressed: in a scene to its end, behind it to the next', async () => {
    const { clock, pace, input, narrator } = stage({ fast: false })
    expect(pace.listen(input)).toBe(true)
    const step = narrator.step('ana', 'something')
    input.write('\n')
    await step
    await narrator.step('ana', 'more')
    expect(clock.pending).toBe(0)
    const rest = pace.pause('scene')
    expect(clock.pending).toBe(1)
    input.write('\n')
    await rest
    expect(clock.pending).toBe(0)
    const next = narrator.step('ana', 'something in the next scene')
    expect(await isOver(next)).toBe(false)
    await clock.advance(700)
    await until(() => isOver(next))
  })

  it('listens to nobody where nobody can press Enter', () => {
    expect(stage({ fast: false, tty: false }).pace.listen(new PassThrough())).toBe(false)
  })
})

describe('colours', () => {
  const text = 'denied'

  it('are for terminals', () => {
    expect(paintFor({ isTTY: true }, {})('red', text)).toBe('\u001b[31mdenied\u001b[39m')
    expect(paintFor({}, {})('red', text)).toBe(text)
  })

  it('are left out with NO_COLOR', () => {
    expect(paintFor({ isTTY: true }, { NO_COLOR: '1' })('red', text)).toBe(text)
    expect(paintFor({ isTTY: true }, { NO_COLOR: '' })('red', text)).not.toBe(text)
  })
})
