import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { Clock, MANUAL_START, machineNow } from '../../shared/clock/clock.js'
import { readClockSpec } from '../../shared/clock/spec.js'

const manual = () => new Clock({ mode: 'manual', start: 0 })

function real(): Clock {
  const clock = new Clock()
  onTestFinished(() => clock.close())
  return clock
}

describe('a manual clock', () => {
  it('begins at the same instant in every run', () => {
    expect(new Clock({ mode: 'manual' }).now()).toBe(MANUAL_START)
  })

  it('stands still until it is advanced', async () => {
    const clock = manual()
    await new Promise(resolve => setImmediate(resolve))
    expect(clock.now()).toBe(0)
    await clock.advance(60_000)
    expect(clock.now()).toBe(60_000)
  })

  it('runs what falls due in due order, each at its own time, whatever the order it was set in', async () => {
    const clock = manual()
    const seen: [string, number][] = []
    clock.wakeAt(300, () => void seen.push(['c', clock.now()]))
    clock.wakeAt(100, () => void seen.push(['a', clock.now()]))
    clock.wakeAt(200, () => void seen.push(['b', clock.now()]))
    clock.wakeAt(100, () => void seen.push(['a, set later', clock.now()]))
    await clock.advance(1000)
    expect(seen).toEqual([
      ['a', 100],
      ['a, set later', 100],
      ['b', 200],
      ['c', 300],
    ])
    expect(clock.now()).toBe(1000)
  })

  it('runs what a wake-up sets going within the same advance', async () => {
    const clock = manual()
    const seen: number[] = []
    const again = () => {
      seen.push(clock.now())
      clock.wakeAt(clock.now() + 10, again)
    }
    clock.wakeAt(10, again)
    await clock.advance(35)
    expect(seen).toEqual([10, 20, 30])
  })

  it('wakes at the very instant and not a millisecond before', async () => {
    const clock = manual()
    const wake = vi.fn()
    clock.wakeAt(60_000, wake)
    await clock.advance(59_999)
    expect(wake).not.toHaveBeenCalled()
    await clock.advance(1)
    expect(wake).toHaveBeenCalledOnce()
  })

  it('resolves an advance when what it woke has settled, continuations and tracked work included', async () => {
    const clock = manual()
    const seen: string[] = []
    clock.wakeAt(1, async () => {
      await Promise.resolve()
      seen.push(`own promise at ${clock.now()}`)
      clock.track(
        new Promise<void>(resolve => setImmediate(resolve)).then(
          () => void seen.push(`tracked at ${clock.now()}`),
        ),
      )
    })
    clock.wakeAt(2, () => void seen.push(`next at ${clock.now()}`))
    await clock.advance(5)
    expect(seen).toEqual(['own promise at 1', 'tracked at 1', 'next at 2'])
  })

  it('does not run what was taken back', async () => {
    const clock = manual()
    const wake = vi.fn()
    const wakeup = clock.wakeAt(10, wake)
    wakeup.cancel()
    wakeup.cancel()
    await clock.advance(100)
    expect(wake).not.toHaveBeenCalled()
    expect(clock.pending).toBe(0)
  })

  it('carries out two advances one after the other', async () => {
    const clock = manual()
    expect(await Promise.all([clock.advance(10), clock.advance(5)])).toEqual([10, 15])
  })

  it('goes on after a wake-up that throws, and reports it', async () => {
    const errors: unknown[] = []
    const clock = new Clock({ mode: 'manual', start: 0, onError: error => errors.push(error) })
    const wake = vi.fn()
    clock.wakeAt(1, () => {
      throw new Error('sync')
    })
    clock.wakeAt(2, () => Promise.reject(new Error('async')))
    clock.wakeAt(3, wake)
    await clock.advance(5)
    expect(errors.map(String)).toEqual(['Error: sync', 'Error: async'])
    expect(wake).toHaveBeenCalledOnce()
  })

  it.each([-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('refuses to advance by %s', async ms => {
    const clock = manual()
    await expect(clock.advance(ms)).rejects.toMatchObject({
      code: 'bad_advance',
      hint: expect.stringContaining('0 or more'),
    })
    expect(clock.now()).toBe(0)
  })

  it('refuses to advance once closed', async () => {
    const clock = manual()
    clock.close()
    await expect(clock.advance(1)).rejects.toMatchObject({ code: 'clock_closed' })
  })

  it('keeps its order through many additions and removals', async () => {
    const clock = manual()
    const fired: number[] = []
    const wakeups = Array.from({ length: 2000 }, (_, index) => {
      const instant = (index * 7919) % 1009
      return clock.wakeAt(instant, () => void fired.push(instant))
    })
    for (let index = 0; index < wakeups.length; index += 3) wakeups[index]?.cancel()
    await clock.advance(2000)
    expect(fired).toHaveLength(2000 - Math.ceil(2000 / 3))
    expect(fired).toEqual([...fired].sort((a, b) => a - b))
  })
})

describe('a real clock', () => {
  it('ticks with the machine', () => {
    expect(Math.abs(real().now() - machineNow())).toBeLessThan(50)
  })

  it('fires when its time has come', async () => {
    const clock = real()
    const instant = clock.now() + 5
    await new Promise<void>(resolve => void clock.wakeAt(instant, resolve))
    expect(clock.now()).toBeGreaterThanOrEqual(instant)
  })

  it('can be jumped forward, and ticks on from there', async () => {
    const clock = real()
    const before = clock.now()
    const wake = vi.fn(() => expect(clock.now()).toBe(before + 60_000))
    clock.wakeAt(before + 60_000, wake)
    await clock.advance(24 * 3600_000)
    expect(wake).toHaveBeenCalledOnce()
    expect(clock.now()).toBeGreaterThanOrEqual(before + 24 * 3600_000)
    await new Promise<void>(resolve => void clock.wakeAt(clock.now() + 2, resolve))
  })
})

describe('the word for a clock', () => {
  it('reads real, manual and manual@instant', () => {
    expect(readClockSpec('real')).toEqual({ mode: 'real' })
    expect(readClockSpec('manual')).toEqual({ mode: 'manual' })
    expect(readClockSpec('manual@2026-01-01T00:00:00Z')).toEqual({
      mode: 'manual',
      start: Date.UTC(2026, 0, 1),
    })
  })

  it.each(['', 'fast', 'manual@', 'manual@yesterday'])('refuses %j', text => {
    expect(() => readClockSpec(text)).toThrow(expect.objectContaining({ code: 'bad_clock' }))
  })
})
