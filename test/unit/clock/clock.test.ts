import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { Clock, MANUAL_START, machineNow } from '../../../shared/clock/clock.js'
import { readClockSpec } from '../../../shared/clock/spec.js'

const manual = () => new Clock({ mode: 'manual', start: 0 })

function real(): Clock {
  const clock = new Clock()
  onTestFinished(() => clock.close())
  return clock
}

describe('a clock that is set', () => {
  it('stands still when it becomes manual, and ticks from there when it becomes real', async () => {
    const clock = real()
    await clock.set({ mode: 'manual', now: '2026-01-01T00:00:00Z' })
    expect(clock.snapshot()).toEqual({ mode: 'manual', now: MANUAL_START })
    await clock.set({ now: MANUAL_START + 5 })
    expect(clock.now()).toBe(MANUAL_START + 5)
    const rung = new Promise<void>(resolve => clock.wakeAt(MANUAL_START + 10, resolve))
    await clock.set({ mode: 'real' })
    await rung
    expect(clock.now()).toBeGreaterThanOrEqual(MANUAL_START + 10)
    expect(clock.now()).toBeLessThan(MANUAL_START + 24 * 3600_000)
  })

  it('wakes all due work on the way, each wake-up at its own time', async () => {
    const clock = manual()
    const seen: number[] = []
    clock.wakeAt(200, () => void seen.push(clock.now()))
    clock.wakeAt(100, () => void seen.push(clock.now()))
    expect(await clock.set({ nowMs: 150 })).toBe(150)
    expect(seen).toEqual([100])
    await clock.set({ mode: 'manual', now: 200 })
    expect(seen).toEqual([100, 200])
  })

  it('can go back if it is manual, and work that was due in between waits again', async () => {
    const clock = manual()
    await clock.advance(1000)
    const wake = vi.fn()
    clock.wakeAt(1500, wake)
    await clock.set({ now: 400 })
    await clock.advance(1000)
    expect([clock.now(), wake.mock.calls.length]).toEqual([1400, 0])
    await clock.advance(100)
    expect(wake).toHaveBeenCalledOnce()
  })

  it('can go back as a real clock only by becoming manual', async () => {
    const clock = real()
    const before = clock.now()
    await expect(clock.set({ now: 0 })).rejects.toMatchObject({ code: 'clock_backwards' })
    expect([clock.mode, clock.now() >= before]).toEqual(['real', true])
    await clock.set({ mode: 'manual', now: 0 })
    expect([clock.mode, clock.now()]).toEqual(['manual', 0])
  })

  it('restores the time of a snapshot in either mode, without running wake-ups', async () => {
    const clock = real()
    await clock.set({ mode: 'manual', now: 1000 })
    const wake = vi.fn()
    clock.wakeAt(1500, wake)
    await clock.restore({ mode: 'manual', now: 2000 })
    expect([clock.now(), wake.mock.calls.length]).toEqual([2000, 0])
    await clock.restore({ mode: 'real', now: 500 })
    expect([clock.mode, clock.now() - 500 < 60_000]).toEqual(['real', true])
  })

  it.each([
    [{ mode: 'sundial' }, 'bad_clock', 'clock.mode is "sundial"'],
    [{ now: 'yesterday' }, 'bad_clock', 'clock.now is "yesterday"'],
    [{ now: '2026-02-30T00:00:00Z' }, 'bad_clock', '2026-02-30'],
    [{ now: -1 }, 'bad_clock', 'clock.now is -1'],
    [{ now: '1969-12-31T23:59:59Z' }, 'bad_clock', '1969'],
    [{ now: Number.NaN }, 'bad_clock', 'clock.now is null'],
    [{ now: true }, 'bad_clock', 'clock.now is true'],
    [{ now: 1, nowMs: 2 }, 'bad_clock', 'give one'],
    [{ instant: 1 }, 'bad_clock', 'does not know "instant"'],
    ['manual', 'bad_clock', 'clock is "manual"'],
  ])('cannot be set to %j', async (change, code, words) => {
    const clock = manual()
    const setting = clock.set(change as Parameters<Clock['set']>[0])
    await expect(setting).rejects.toMatchObject({ code })
    await expect(setting.catch(error => error.sentence)).resolves.toContain(words)
    expect(clock.snapshot()).toEqual({ mode: 'manual', now: 0 })
  })

  it('cannot pass the year 9999, or move after it was closed', async () => {
    const clock = manual()
    await expect(clock.advance(Number.MAX_SAFE_INTEGER)).rejects.toMatchObject({ code: 'bad_advance' })
    expect(clock.now()).toBe(0)
    clock.close()
    await expect(clock.set({ now: 1 })).rejects.toMatchObject({ code: 'clock_closed' })
  })
})

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

  it('runs due work in the order of its times, whatever the order in which it was set', async () => {
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

  it('runs the work that a wake-up starts within the same advance', async () => {
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

  it('wakes at the exact instant and not a millisecond before', async () => {
    const clock = manual()
    const wake = vi.fn()
    clock.wakeAt(60_000, wake)
    await clock.advance(59_999)
    expect(wake).not.toHaveBeenCalled()
    await clock.advance(1)
    expect(wake).toHaveBeenCalledOnce()
  })

  it('resolves an advance when the woken work has settled, with its continuations and tracked work', async () => {
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

  it('does not run cancelled work', async () => {
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

  it('continues after a wake-up that throws, and reports the error', async () => {
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

  it('refuses to advance after it was closed', async () => {
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
    const before = Math.floor(machineNow())
    const now = real().now()
    expect(now).toBeGreaterThanOrEqual(before)
    expect(now).toBeLessThanOrEqual(machineNow())
  })

  it('wakes work when its time has come', async () => {
    const clock = real()
    const instant = clock.now() + 5
    await new Promise<void>(resolve => void clock.wakeAt(instant, resolve))
    expect(clock.now()).toBeGreaterThanOrEqual(instant)
  })

  it('can be moved forward, and ticks from there', async () => {
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

describe('the specification of a clock', () => {
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
