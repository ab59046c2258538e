import { describe, expect, it } from 'vitest'
import { Clock } from '../../../shared/clock/clock.js'
import { TokenBuckets } from '../../../shared/clock/token-buckets.js'

function start({ maxBuckets = 100 } = {}) {
  const clock = new Clock({ mode: 'manual' })
  const buckets = new TokenBuckets({ clock, capacity: 20, perSecond: 10, maxBuckets })
  /** How many of `count` tries in a row get a token. */
  const taken = (key: string, count: number) =>
    Array.from({ length: count }, () => buckets.take(key)).filter(Boolean).length
  return { clock, buckets, taken }
}

describe('a token bucket', () => {
  it('never has more tokens than its capacity', async () => {
    const { clock, taken } = start()
    expect(taken('a', 30)).toBe(20)
    await clock.advance(3_600_000)
    expect(taken('a', 30)).toBe(20)
  })

  it('is refilled as time passes, each token at its own instant', async () => {
    const { clock, taken } = start()
    taken('a', 20)
    await clock.advance(99)
    expect(taken('a', 5)).toBe(0)
    await clock.advance(1)
    expect(taken('a', 5)).toBe(1)
    await clock.advance(1000)
    expect(taken('a', 50)).toBe(10)
  })

  it('loses no tokens by refused requests', async () => {
    const { clock, taken } = start()
    taken('a', 1000)
    await clock.advance(100)
    expect(taken('a', 1)).toBe(1)
  })

  it('is separate for each key', () => {
    const { taken } = start()
    expect([taken('a', 30), taken('b', 30)]).toEqual([20, 20])
  })
})

describe('token buckets', () => {
  it('are deleted when they are full again', async () => {
    const { clock, buckets } = start()
    for (const key of ['a', 'b', 'c']) buckets.take(key)
    await clock.advance(100)
    buckets.take('d')
    expect(buckets.size).toBe(1)
  })

  it('are limited in number: the one that was unused for longest is deleted', () => {
    const { buckets, taken } = start({ maxBuckets: 3 })
    taken('rested', 20)
    for (const key of ['b', 'c', 'd']) taken(key, 20)
    expect(buckets.size).toBe(3)
    expect([taken('d', 1), taken('rested', 1)]).toEqual([0, 1])
  })
})
