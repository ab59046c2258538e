import { describe, expect, it } from 'vitest'
import { deadline } from '../../../servers/rehearsal/via/caller.js'
import { Clock } from '../../../shared/clock/clock.js'

describe('the time limit of an answer', () => {
  it('aborts after its time', async () => {
    const clock = new Clock({ mode: 'manual' })
    const { signal } = deadline(clock, 10_000)
    await clock.advance(9_999)
    expect(signal.aborted).toBe(false)
    await clock.advance(1)
    expect(signal.aborted).toBe(true)
    clock.close()
  })

  it('starts again while the upstream is at work, for two minutes at most', async () => {
    const clock = new Clock({ mode: 'manual' })
    const { signal } = deadline(clock, 10_000, () => true)
    await clock.advance(119_999)
    expect(signal.aborted).toBe(false)
    await clock.advance(10_000)
    expect(signal.aborted).toBe(true)
    clock.close()
  })

  it('is cancelled when the answer is there', async () => {
    const clock = new Clock({ mode: 'manual' })
    const { signal, cancel } = deadline(clock, 10_000)
    cancel()
    await clock.advance(60_000)
    expect(signal.aborted).toBe(false)
    clock.close()
  })
})
