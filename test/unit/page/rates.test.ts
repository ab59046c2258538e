import { expect, it } from 'vitest'
import { CallLog } from '../../../shared/control/page/model/call-log.js'
import { ratesOf, SECONDS } from '../../../shared/control/page/model/rates.js'
import { entry } from './entry.js'

it('counts calls by tool, second and outcome, the busiest first', () => {
  const log = new CallLog()
  const now = Date.parse('2026-01-01T00:10:00.500Z')
  const ago = (seconds: number) => new Date(now - seconds * 1000).toISOString()
  log.take(entry(1, { wall: ago(0) }))
  log.take(entry(2, { wall: ago(59), tool: 'claim_task' }))
  log.take(entry(3, { wall: ago(59), tool: 'claim_task', outcome: 'tool_error' }))
  log.take(entry(4, { wall: ago(61), tool: 'claim_task' }))
  log.take(entry(5, { wall: ago(0), tool: 'claim_task', outcome: null }))
  const [claims, status, ...none] = ratesOf(log.calls, now)
  expect(none).toEqual([])
  expect(claims).toMatchObject({ name: 'claim_task', total: 3, totals: { ok: 2, tool_error: 1 }, peak: 2 })
  expect(claims?.seconds[0]).toMatchObject({ ok: 1, tool_error: 1 })
  expect(status?.seconds[SECONDS - 1]).toMatchObject({ ok: 1 })
})
