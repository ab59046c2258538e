import { expect, it } from 'vitest'
import { CallLog } from '../../../servers/page/model/call-log.js'
import { ratesOf, SECONDS } from '../../../servers/page/model/rates.js'
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

it('counts one path together, with any query', () => {
  const log = new CallLog()
  const paths = [
    'POST /api/rooms/ABC/claim',
    'POST /api/rooms/DEF/claim',
    'GET /api/rooms/ABC/status',
    'DELETE /api/me/resources/6b18bec9-43ea-49f6-9046-1a62374633db',
    'POST /webhook/receive/6b18bec9-43ea-49f6-9046-1a62374633db',
    'POST /api/identity/register',
  ]
  for (const [at, method] of paths.entries()) log.take(entry(at + 1, { tool: null, method }))
  log.take(entry(9, { tool: '/rooms/of/a/tool', method: 'tools/call' }))
  expect(ratesOf(log.calls, 0).map(({ name, total }) => [name, total])).toEqual([
    ['POST /api/rooms/…/claim', 2],
    ['GET /api/rooms/…/status', 1],
    ['DELETE /api/me/resources/…', 1],
    ['POST /webhook/receive/…', 1],
    ['POST /api/identity/register', 1],
    ['/rooms/of/a/tool', 1],
  ])
})
