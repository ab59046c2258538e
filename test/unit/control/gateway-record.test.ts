import { expect, it } from 'vitest'
import { GatewayRecord } from '../../../servers/control/gateway-record.js'
import type { AuditEntry } from '../../../shared/schemas/audit.js'

const ENTRY: AuditEntry = {
  ...{
    seq: 1,
    at: '2026-01-01T00:00:00.000Z',
    grant: 'default',
    session: null,
    protocol: null,
    requestId: 1,
    tool: 'x',
  },
  ...{ argumentKeys: [], argsHash: null, outcome: 'denied', rule: 'r', message: 'm', approval: null },
  upstream: null,
}

it('the record of gateways keeps the last calls, numbers the calls of all gateways together, and counts the dropped ones', () => {
  const record = new GatewayRecord(() => undefined)
  for (let at = 0; at < 20_000; at++) record.judged(at % 2 === 0 ? 'instanode' : 'safebot', ENTRY)
  const { entries, next, dropped } = record.page({ limit: 2 })
  expect([entries.map(({ seq, server }) => [seq, server]), next, dropped]).toEqual([
    [
      [10_001, 'instanode'],
      [10_002, 'safebot'],
    ],
    10_002,
    10_000,
  ])
  expect(record.changesAfter(9_999, 1).complete).toBe(false)
  expect(record.changesAfter(10_000, 1)).toMatchObject({ entries: [{ changed: 10_001 }], complete: true })
  record.clear()
  expect(record.page()).toEqual({ entries: [], next: 0, dropped: 0 })
  expect(record.counts).toContainEqual({ server: 'safebot', outcome: 'denied', count: 10_000 })
  record.judged('safebot', ENTRY)
  expect(record.page().next).toBe(20_001)
})

it('a watcher that throws does not stop the other watchers from being notified', () => {
  const errors: unknown[] = []
  const told: string[] = []
  const record = new GatewayRecord(error => errors.push(error))
  const leave = record.watch({
    entry() {
      throw new Error('mine')
    },
  })
  record.watch({ entry: ({ kind }) => told.push(kind), stopped: () => told.push('stopped') })
  record.judged('safebot', ENTRY)
  leave()
  record.judged('safebot', ENTRY)
  record.stop()
  expect([errors, told]).toEqual([[new Error('mine')], ['audit', 'audit', 'stopped']])
})
