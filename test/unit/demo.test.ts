import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { different, present, same } from '../../servers/demo/show/as-narrated.js'
import { paintFor } from '../../servers/demo/show/colours.js'
import { Narrator } from '../../servers/demo/show/narrator.js'
import { Pace } from '../../servers/demo/show/pace.js'
import { Play } from '../../servers/demo/show/play.js'
import { Clock } from '../../shared/clock/clock.js'
import { until } from '../support/until.js'

const plain = paintFor({}, {})

function stage({ fast = true, tty = true } = {}) {
  const clock = new Clock({ mode: 'manual' })
  const pace = new Pace(clock, fast)
  const input = Object.assign(new PassThrough(), { isTTY: tty })
  let told = ''
  const write = (text: string) => {
    told += text
  }
  const tell = new Narrator({ write, paint: plain, pace })
  const play = new Play({ titles: ['one', 'two'], tell, pace })
  return { clock, pace, input, tell, play, told: () => told }
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
    const { play, told } = stage()
    expect(await play.scene('two', async () => 'a thing')).toBe('a thing')
    expect(told()).toBe('\n[2/2] two\n\n')
  })

  it.each([
    [
      'an expectation',
      () => same('the tier', 'paid', 'anonymous'),
      'the tier was to be "anonymous", and is "paid"',
    ],
    [
      'an expectation of another',
      () => different('the claim', 'a', 'a'),
      'the claim was to be another, and is "a" still',
    ],
    ['something missing', () => void present('the room', undefined), 'the room was to be there, and is not'],
    [
      'anything else',
      () => {
        throw new Error('connect ECONNREFUSED')
      },
      'Error: connect ECONNREFUSED',
    ],
  ])('that fails by %s is named, with the reason', async (_name, fail, reason) => {
    const { play } = stage()
    const failed = play.scene('one', async () => fail())
    await expect(failed).rejects.toThrow(`scene 1 of 2 ("one") did not go as narrated: ${reason}`)
  })
})

describe('a step', () => {
  it('says who did what, what that one saw, and what the upstream has of it', async () => {
    const { tell, told } = stage()
    await tell.step({ who: 'ben', does: 'calls it', saw: 'denied', refused: true, upstream: 'not reached' })
    await tell.step({ who: 'clock', does: '+60 s' })
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
    const { clock, play } = stage({ fast: false })
    const scene = play.scene('one', async () => undefined)
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
      const { clock, play } = stage({ fast })
      await play.scene(title, async () => undefined)
      expect(clock.pending).toBe(0)
    }
  })

  it('goes on at once when Enter is pressed: in a scene to its end, behind it to the next', async () => {
    const { clock, pace, input, tell } = stage({ fast: false })
    expect(pace.listen(input)).toBe(true)
    const step = tell.step({ who: 'ana', does: 'something' })
    input.write('\n')
    await step
    await tell.step({ who: 'ana', does: 'more' })
    expect(clock.pending).toBe(0)
    const rest = pace.rest()
    expect(clock.pending).toBe(1)
    input.write('\n')
    await rest
    expect(clock.pending).toBe(0)
    const next = tell.step({ who: 'ana', does: 'something in the next scene' })
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
