import { describe, expect, it } from 'vitest'
import { leaseEventsOf, leaseSpans, withLeases } from '../../../servers/page/model/leases.js'
import { timeAxis } from '../../../servers/page/model/time-axis.js'
import { ok, startUnderstudy } from '../../support/servers/understudy.js'

const START = Date.parse('2026-01-01T00:00:00Z')

/** A worker in a room with messages; `spans` are its leases as the page reckons them. */
async function worker(messages: number) {
  const { safebot, journal, clock } = await startUnderstudy()
  const [asker, agent] = [
    await safebot.connect({ handle: 'asker' }),
    await safebot.connect({ handle: 'worker' }),
  ]
  const { url, room_id } = await ok(asker, 'create_room')
  for (let at = 0; at < messages; at++) await ok(asker, 'send_message', { url, text: `task ${at}` })
  const claim = async () => {
    const { claim_id, task } = await ok(agent, 'claim_task', { url, timeout_seconds: 1 })
    return { url, claim_id, seq: Object(task).seq }
  }
  const spans = (cursors = new Map<string, number>()) => {
    const events = journal
      .entries()
      .flatMap(({ seq }) => {
        const { entry, answer } = journal.find(seq)
        return leaseEventsOf(entry.toJSON(), answer)
      })
      .filter(({ room }) => room === room_id)
    return leaseSpans(events, new Map(), cursors, clock.now()).map(({ from, to, end, redelivered }) => [
      (from - START) / 1000,
      (to - START) / 1000,
      end,
      redelivered,
    ])
  }
  return { agent, url, clock, claim, spans }
}

describe('leases, computed from the journal', () => {
  it('are held, then acknowledged', async () => {
    const { agent, clock, claim, spans } = await worker(1)
    const task = await claim()
    await clock.advance(5000)
    expect(spans()).toEqual([[0, 60, 'held', false]])
    await ok(agent, 'ack_task', task)
    expect(spans()).toEqual([[0, 5, 'acked', false]])
  })

  it('expire, and return as redeliveries', async () => {
    const { clock, claim, spans } = await worker(1)
    await claim()
    await clock.advance(60_001)
    await claim()
    expect(spans()).toEqual([
      [0, 60, 'expired', false],
      [60.001, 120.001, 'held', true],
    ])
  })

  it('are one lease if claimed again in time', async () => {
    const { clock, claim, spans } = await worker(1)
    await claim()
    await clock.advance(30_000)
    await claim()
    expect(spans()).toEqual([[0, 60, 'held', false]])
  })

  it('end at once with next_task', async () => {
    const { agent, url, spans } = await worker(2)
    await ok(agent, 'next_task', { url })
    expect(spans()).toEqual([[0, 0, 'acked', false]])
  })

  it('were acknowledged if the cursor says so, even if the answer was lost', async () => {
    const { clock, claim, spans } = await worker(1)
    const { seq } = await claim()
    await clock.advance(5000)
    expect(spans(new Map([['worker', Number(seq)]]))).toEqual([[0, 5, 'acked', false]])
  })
})

describe('leases whose id occurs again, for example after a reset', () => {
  const claim = { kind: 'claimed', room: 'r', handle: 'worker', seq: 1, claimId: 'c' } as const
  const lease = (at: number) => ({
    claimId: 'c',
    claimedAt: new Date(at).toISOString(),
    expiresAt: new Date(at + 30_000).toISOString(),
  })

  it.each([
    ['acknowledged', [{ ...claim, kind: 'acked', at: START + 5000 } as const], START + 10_000],
    ['run out', [], START + 90_000],
  ])('are new ones if the first has been %s', (_, between, again) => {
    const events = [{ ...claim, at: START }, ...between, { ...claim, at: again }]
    expect(leaseSpans(events, new Map(), new Map(), again)).toMatchObject([
      { claimId: 'c', from: again, to: again + 60_000, end: 'held' },
    ])
  })

  it('are recognized by the times that were seen last', () => {
    const first = withLeases(new Map(), [lease(START)])
    expect(withLeases(first, [lease(START)])).toBe(first)
    expect(withLeases(first, [lease(START + 1000)]).get('c')).toEqual(lease(START + 1000))
  })
})

describe('the axis of the timeline', () => {
  it('cuts out a day without short leases', () => {
    const axis = timeAxis([
      { from: 0, to: 60_000 },
      { from: 86_400_000, to: 86_460_000 },
    ])
    expect(axis.cuts).toEqual([{ x: 50, ms: 86_340_000 - 3000 }])
    expect(axis.x(0)).toBeLessThan(axis.x(60_000))
    expect(axis.x(60_000)).toBeLessThan(50)
    expect(axis.x(86_400_000)).toBeGreaterThan(50)
    expect(axis.x(86_460_000)).toBeLessThanOrEqual(100)
  })

  it('keeps shorter times', () => {
    const axis = timeAxis([
      { from: 0, to: 10_000 },
      { from: 20_000, to: 30_000 },
    ])
    expect(axis.cuts).toEqual([])
    expect(axis.x(15_000)).toBeCloseTo(50)
  })
})
