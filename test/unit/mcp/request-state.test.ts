import { describe, expect, it } from 'vitest'
import { Clock } from '../../../shared/clock/clock.js'
import { inputRefusal } from '../../../shared/mcp/modern/modern-protocol.js'
import { RequestStates } from '../../../shared/mcp/modern/request-state.js'

const owner = { caller: 'alice', method: 'tools/call', params: { name: 'ask', arguments: { a: 1 } } }

function states(key = 1) {
  const clock = new Clock({ mode: 'manual' })
  return { clock, states: new RequestStates(Buffer.alloc(32, key), clock) }
}

describe('the state of a request', () => {
  it('is returned unchanged, whatever the retry adds', () => {
    const { states: own } = states()
    const sealed = own.seal({ round: 2 }, owner)
    const params = { ...owner.params, inputResponses: {}, requestState: sealed, _meta: { x: 1 } }
    expect(own.open(sealed, { ...owner, params })).toEqual({ round: 2 })
    expect(own.open(undefined, owner)).toBeUndefined()
  })

  it.each([
    ['another caller', { ...owner, caller: 'bob' }],
    ['another method', { ...owner, method: 'prompts/get' }],
    ['another tool', { ...owner, params: { ...owner.params, name: 'other' } }],
    ['other arguments', { ...owner, params: { ...owner.params, arguments: { a: 2 } } }],
  ])('is refused from %s', (_, other) => {
    const { states: own } = states()
    expect(() => own.open(own.seal(1, owner), other)).toThrow(
      'params.requestState was not made by this server for this caller and this request',
    )
  })

  it('is refused if it was changed, or created by another server', () => {
    const { states: own } = states()
    const sealed = own.seal(1, owner)
    const [payload, signature] = sealed.split('.')
    const other = Buffer.from('{"value":2,"expires":9e15}').toString('base64url')
    const forged = [`${sealed}x`, `${other}.${signature}`, states(2).states.seal(1, owner)]
    for (const state of forged) expect(() => own.open(state, owner)).toThrow('was not made by this server')
    for (const state of [payload, `${sealed}.x`, '', 7, null]) {
      expect(() => own.open(state, owner)).toThrow('params.requestState cannot be read')
    }
  })

  it('is refused after ten minutes of the clock', async () => {
    const { states: own, clock } = states()
    const sealed = own.seal(1, owner)
    await clock.advance(599_999)
    expect(own.open(sealed, owner)).toBe(1)
    await clock.advance(1)
    expect(() => own.open(sealed, owner)).toThrow('params.requestState has expired')
  })
})

describe('a result that asks its client', () => {
  const asking = { inputRequests: { a: { method: 'elicitation/create' }, b: { method: 'roots/list' } } }

  it('is sent to a client that has declared the needed capability', () => {
    expect(inputRefusal('tools/call', asking, { elicitation: {}, roots: {} })).toBeUndefined()
  })

  it('becomes -32021 for a client that has not, with the missing capability', () => {
    expect(inputRefusal('tools/call', asking, { roots: {} })).toEqual({
      code: -32021,
      message: 'the request needs a client that declares elicitation',
      data: { requiredCapabilities: { elicitation: {} } },
    })
  })

  it('is a fault of the server if it may not ask, or asks nothing', () => {
    expect(inputRefusal('tools/list', asking, {})).toMatchObject({ code: -32603 })
    expect(inputRefusal('tools/call', {}, {})).toMatchObject({ code: -32603 })
  })
})
