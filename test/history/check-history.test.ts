import { describe, expect, test } from 'vitest'
import { checkHistory } from './check-history.js'
import type { HistoryEvent } from './event.js'

const HANDLES = { ROOM: ['worker'] }
const CURSOR = { room: 'ROOM', handle: 'worker' }

/** Something that took a millisecond. */
const at = (begun: number) => ({ begun, ended: begun + 1 })
const sent = (begun: number, seq: number): HistoryEvent => ({
  kind: 'sent',
  room: 'ROOM',
  seq,
  text: `task ${seq}`,
  ...at(begun),
})
const claimed = (begun: number, seq: number, claimId: string): HistoryEvent => ({
  ...{ kind: 'claimed', ...CURSOR, seq, claimId, text: `task ${seq}` },
  ...at(begun),
})
const acked = (begun: number, seq: number, claimId: string): HistoryEvent => ({
  ...{ kind: 'acked', ...CURSOR, seq, claimId, advanced: true },
  ...at(begun),
})
const advanced = (begun: number, byMs: number): HistoryEvent => ({ kind: 'advanced', byMs, ...at(begun) })

const rulesBroken = (...events: HistoryEvent[]) =>
  checkHistory(events, HANDLES).violations.map(({ rule }) => rule)

describe('a correct history has', () => {
  test('tasks that are claimed and acknowledged in their order', () => {
    expect(
      rulesBroken(
        sent(0, 1),
        sent(2, 2),
        claimed(4, 1, 'a'),
        acked(6, 1, 'a'),
        claimed(8, 2, 'b'),
        acked(10, 2, 'b'),
      ),
    ).toEqual([])
  })

  test('two workers of one handle that are given the same lease', () => {
    expect(rulesBroken(sent(0, 1), claimed(4, 1, 'a'), claimed(6, 1, 'a'), acked(8, 1, 'a'))).toEqual([])
  })

  test("a task that is delivered again after its lease has expired by the service's clock", () => {
    expect(
      rulesBroken(sent(0, 1), claimed(4, 1, 'a'), advanced(6, 60_001), claimed(8, 1, 'b'), acked(10, 1, 'b')),
    ).toEqual([])
  })

  test('a lease that began with a call whose answer was lost, and has expired since', () => {
    expect(
      rulesBroken(
        sent(0, 1),
        { kind: 'claim unanswered', ...CURSOR, begun: 4 },
        advanced(6, 60_001),
        claimed(8, 1, 'b'),
        acked(9, 1, 'b'),
      ),
    ).toEqual([])
  })

  test('an acknowledgement whose answer was lost, but which was accepted', () => {
    expect(
      rulesBroken(
        ...[sent(0, 1), sent(1, 2), claimed(4, 1, 'a')],
        { kind: 'ack unanswered', ...CURSOR, begun: 6, seq: 1, claimId: 'a' },
        ...[claimed(8, 2, 'b'), acked(10, 2, 'b')],
      ),
    ).toEqual([])
  })
})

describe('the check finds', () => {
  test('a message that was stored and never delivered', () => {
    expect(rulesBroken(sent(0, 1), sent(2, 2), claimed(4, 1, 'a'), acked(6, 1, 'a'))).toEqual(['lost'])
  })

  test('a message that no worker could acknowledge', () => {
    expect(rulesBroken(sent(0, 1), claimed(4, 1, 'a'))).toEqual(['not acknowledged'])
  })

  test('a message that was never sent', () => {
    expect(rulesBroken(claimed(4, 1, 'a'), acked(6, 1, 'a'))).toEqual(['invented'])
  })

  test('a second lease while the first is valid', () => {
    expect(rulesBroken(sent(0, 1), claimed(4, 1, 'a'), claimed(6, 1, 'b'), acked(8, 1, 'b'))).toEqual([
      'two live leases',
    ])
  })

  test('the next task before the first was acknowledged or expired', () => {
    expect(
      rulesBroken(
        ...[sent(0, 1), sent(1, 2), claimed(4, 1, 'a'), claimed(6, 2, 'b')],
        ...[acked(8, 1, 'a'), acked(10, 2, 'b')],
      ),
    ).toEqual(['two live leases', 'stale acknowledgement accepted'])
  })

  test('a lease that was given again in its last millisecond', () => {
    expect(
      rulesBroken(sent(0, 1), claimed(4, 1, 'a'), advanced(6, 59_990), claimed(9, 1, 'b'), acked(12, 1, 'b')),
    ).toEqual(['two live leases'])
  })

  test('the acknowledgement of a lease that another has replaced', () => {
    expect(
      rulesBroken(sent(0, 1), claimed(4, 1, 'a'), advanced(6, 60_001), claimed(8, 1, 'b'), acked(10, 1, 'a')),
    ).toEqual(['stale acknowledgement accepted'])
  })

  test('the acknowledgement of a lease that has expired', () => {
    expect(rulesBroken(sent(0, 1), claimed(4, 1, 'a'), advanced(6, 60_001), acked(8, 1, 'a'))).toEqual([
      'stale acknowledgement accepted',
    ])
  })

  test('a task that is delivered again after it was acknowledged', () => {
    expect(
      rulesBroken(sent(0, 1), claimed(4, 1, 'a'), acked(6, 1, 'a'), claimed(8, 1, 'b'), acked(10, 1, 'b')),
    ).toEqual(['delivered after acknowledged'])
  })

  test('a task that is first delivered after a later one', () => {
    expect(
      rulesBroken(
        ...[sent(0, 1), sent(1, 2), claimed(4, 2, 'a'), advanced(6, 60_001)],
        ...[claimed(8, 1, 'b'), acked(10, 1, 'b')],
        ...[claimed(12, 2, 'c'), acked(14, 2, 'c')],
      ),
    ).toEqual(['out of order'])
  })

  test('one seq for two messages', () => {
    const double: HistoryEvent = { kind: 'sent', room: 'ROOM', seq: 1, text: 'another', ...at(2) }
    expect(rulesBroken(sent(0, 1), double, claimed(4, 1, 'a'), acked(6, 1, 'a'))).toContain('seq given twice')
  })
})
