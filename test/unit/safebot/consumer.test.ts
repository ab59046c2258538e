import { describe, expect, it } from 'vitest'
import { Consumer, LEASE_MS } from '../../../servers/safebot/domain/consumer.js'

const free = new Consumer({ handle: 'alice', roomId: 'room', cursor: 10 })
const leased = free.startLease(11, 'claim', 1000)

describe('a lease', () => {
  it('is valid up to and including 60,000 ms, and expired after', () => {
    expect(leased.validLease(1000 + LEASE_MS)).toMatchObject({ claimId: 'claim', seq: 11 })
    expect(leased.validLease(1000 + LEASE_MS + 1)).toBeNull()
  })

  it('may have another length', () => {
    expect(free.startLease(11, 'claim', 0, 90_000).validLease(90_000)).not.toBeNull()
    expect(free.startLease(11, 'claim', 0, 90_000).validLease(90_001)).toBeNull()
  })
})

describe('an acknowledgement', () => {
  it('of its lease moves the cursor and frees the lease', () => {
    const { consumer, advanced } = leased.ack('claim', 11, 61_000)
    expect(advanced).toBe(true)
    expect(consumer).toMatchObject({ cursor: 11, lease: null })
  })

  it.each([
    ['one millisecond late', 'claim', 11, 61_001],
    ['with another claim id', 'other', 11, 1000],
    ['with another seq', 'claim', 12, 1000],
    ['of seq 0', 'claim', 0, 1000],
  ])('%s is stale and names the cursor', (_, claimId, seq, now) => {
    expect(() => leased.ack(claimId, seq, now)).toThrow(
      expect.objectContaining({ status: 409, body: { error: 'stale or unknown claim', cursor: 10 } }),
    )
  })

  it('without a lease is stale', () => {
    expect(() => free.ack('claim', 11, 0)).toThrow(expect.objectContaining({ status: 409 }))
  })

  it('at or below the cursor changes nothing, whatever the claim id', () => {
    expect(leased.ack('anything', 10, 1000)).toEqual({ consumer: leased, advanced: false })
    expect(leased.ack('anything', 3, 999_999)).toEqual({ consumer: leased, advanced: false })
  })
})

describe('a release', () => {
  it('frees the lease and leaves the cursor', () => {
    expect(leased.release('claim')).toMatchObject({ cursor: 10, lease: null })
  })

  it('of another claim has no effect', () => {
    expect(leased.release('other')).toBe(leased)
  })
})

it('skips the messages that the buffer has dropped, and never goes back', () => {
  expect(free.skipTo(20).cursor).toBe(19)
  expect(free.skipTo(11)).toBe(free)
  expect(free.skipTo(5)).toBe(free)
})

it('recognizes its own messages by its handle, in both spellings, and by its labels', () => {
  expect(free.withLabels(['worker']).ownSenders).toEqual(['alice', '@alice', 'worker'])
})
