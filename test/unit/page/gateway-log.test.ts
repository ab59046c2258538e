import { describe, expect, it } from 'vitest'
import { callOf, EMPTY_AUDIT_LOG, withDecisions } from '../../../servers/page/model/gateway-log.js'
import type { EntryJson } from '../../../shared/journal/entry.js'
import type { GatewayEntry } from '../../../shared/schemas/audit.js'
import { entry } from './entry.js'

const judged = (seq: number): GatewayEntry => ({
  ...{
    seq,
    at: '2026-01-01T00:00:00.000Z',
    grant: 'default',
    session: null,
    protocol: null,
    requestId: 1,
    server: 'safebot',
  },
  ...{ tool: 'create_room', argumentKeys: [], argsHash: null, outcome: seq % 2 === 0 ? 'denied' : 'allowed' },
  ...{ rule: null, message: null, approval: null, upstream: null },
})

it('counts all decisions and denials, and keeps the latest ten thousand', () => {
  const all = Array.from({ length: 10_200 }, (_, at) => judged(at + 1))
  const log = withDecisions(withDecisions(EMPTY_AUDIT_LOG, all.slice(0, 99)), all.slice(99))
  expect([log.decided, log.denied, log.entries.length]).toEqual([10_200, 5100, 10_000])
  expect([log.entries[0]?.seq, log.entries.at(-1)?.seq]).toEqual([201, 10_200])
})

describe('the call of a decision', () => {
  const passed = (entry: number | null): GatewayEntry => ({
    ...judged(1),
    tool: 'room_status',
    argsHash: 'sha256:a',
    upstream: { ended: 'result', status: 200, latencyMs: 1, quota: 'kept', entry },
  })
  const call = (seq: number, given: Partial<EntryJson> = {}) => ({
    entry: entry(seq, { argsHash: 'sha256:a', ...given }),
    wallMs: 0,
  })

  it('is the one that the server has named', () => {
    expect(callOf(passed(2), [call(1), call(2), call(3)])).toBe(2)
    expect(callOf(passed(4), [call(1), call(2), call(3)])).toBeUndefined()
  })

  it('is the only call since the decision with the same server, tool and arguments', () => {
    const others = [
      call(1, { at: '2025-12-31T23:59:59.999Z' }),
      call(2, { tool: 'create_room' }),
      call(3, { server: 'instanode' }),
      call(4, { argsHash: 'sha256:b' }),
    ]
    expect(callOf(passed(null), [...others, call(5)])).toBe(5)
    expect(callOf(passed(null), others)).toBeUndefined()
  })

  it('is unknown if several calls match', () => {
    expect(callOf(passed(null), [call(1), call(2)])).toBeUndefined()
  })

  it('does not exist if the call did not reach the server', () => {
    expect(callOf(judged(1), [call(1)])).toBeUndefined()
  })
})
