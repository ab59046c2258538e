import { describe, expect, it } from 'vitest'
import { rehearse, reportText } from '../../../servers/rehearsal/index.js'
import { temporaryFile, wrongOf } from '../../support/gateway/rehearse.js'
import { type ScriptedDenial, scripted } from '../../support/gateway/scripted.js'

const STATUS = { call: 'room_status', args: { url: '$room' } }

async function through(denial: ScriptedDenial, steps: unknown[] = [{ ...STATUS, expect: 'deny' }]) {
  const file = await temporaryFile('scenario.json', JSON.stringify({ steps }))
  return rehearse({ scenario: file, via: scripted({ deny: () => denial }) })
}

describe('a denial', () => {
  it.each<[string, ScriptedDenial]>([
    ['a tool error', { result: { isError: true, content: [{ type: 'text', text: 'not for you' }] } }],
    ['HTTP 401', { status: 401, body: 'not for you' }],
    ['HTTP 403', { status: 403, body: 'not for you' }],
    ['HTTP 429', { status: 429, body: 'not for you' }],
    ['JSON-RPC error -32003', { error: { code: -32003, message: 'not for you' } }],
    ['JSON-RPC error 429', { error: { code: 429, message: 'not for you' } }],
    [
      'input_required',
      {
        result: {
          resultType: 'input_required',
          inputRequests: { ask: { method: 'elicitation/create', params: { message: 'not for you' } } },
        },
      },
    ],
  ])('may be %s, and the report quotes it', async (form, denial) => {
    const rehearsal = await through(denial)
    expect(wrongOf(rehearsal)).toEqual([])
    expect(rehearsal.rows[0]).toMatchObject({ saw: `denied: ${form}`, upstream: 'not reached' })
    expect(rehearsal.rows[0]?.calls[0]?.denial).toMatchObject({ text: 'not for you' })
    expect(reportText(rehearsal)).toContain(`\nDenials:\n  - ${form} × 1: "not for you"\n`)
  })

  it('may be plain HTTP for every call of a scenario', async () => {
    const steps = Array.from({ length: 5 }, () => ({ ...STATUS, expect: 'deny' }))
    const rehearsal = await through({ status: 403, body: 'not for you' }, steps)
    expect(rehearsal).toMatchObject({ ok: true, counts: { ok: 5, wrong: 0 } })
  })

  it.each([500, 404, 502])('is not HTTP %i', async status => {
    const rehearsal = await through({ status, body: 'oops' })
    expect(wrongOf(rehearsal)).toEqual([
      `room_status: must be denied, but its answer does not say so: HTTP ${status}`,
    ])
  })

  it('is not an error of the upstream', async () => {
    const steps = [{ call: 'room_status', args: { url: 'no room' }, expect: 'deny' }]
    const file = await temporaryFile('scenario.json', JSON.stringify({ steps }))
    const rehearsal = await rehearse({ scenario: file, via: scripted({}) })
    expect(wrongOf(rehearsal)).toEqual(['room_status: must be denied, but it reached the upstream'])
    expect(rehearsal.rows[0]).toMatchObject({ saw: 'a tool error', calls: [{ denial: null }] })
  })
})
