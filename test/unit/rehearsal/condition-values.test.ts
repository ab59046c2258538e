import { describe, expect, it } from 'vitest'
import type { Condition } from '../../../servers/gateway/policy/model.js'
import { testOf } from '../../../servers/gateway/policy/operators.js'
import { around } from '../../../servers/rehearsal/plan/condition-values.js'
import { referencesIn, resolved } from '../../../servers/rehearsal/stage/fixtures.js'

const CONDITIONS: Pick<Condition, 'op' | 'value'>[] = [
  { op: 'eq', value: 'main' },
  { op: 'neq', value: 'main' },
  { op: 'eq', value: true },
  { op: 'in', value: ['a', 'b'] },
  { op: 'not_in', value: [1, 2] },
  { op: 'lt', value: 30 },
  { op: 'lte', value: 30 },
  { op: 'gt', value: 30 },
  { op: 'gte', value: 30 },
  { op: 'contains', value: 'secret' },
  { op: 'regex', value: '^[A-Za-z0-9._-]{1,64}$' },
  { op: 'regex', value: 'postgres(ql)?://|eyJ[A-Za-z0-9_-]+\\.eyJ' },
  { op: 'regex', value: '^https://(a|b)\\.example/' },
  { op: 'regex', value: '^(alpha|beta)-[0-9]+$' },
]

describe('values around a condition', () => {
  it.each(CONDITIONS)('$op $value: one fulfils it, one does not', ({ op, value }) => {
    const { holding, failing } = around(
      { op, value, path: 'args.x', subject: { from: 'args', keys: ['x'] } },
      undefined,
    )
    const test = testOf(op, value)
    expect(test(holding)).toBe(true)
    expect(failing).not.toBe(undefined)
    expect(test(failing)).toBe(false)
  })

  it('are as near to a boundary as possible', () => {
    const condition = { path: 'args.x', subject: { from: 'args', keys: ['x'] } } as const
    expect(around({ ...condition, op: 'lte', value: 30 }, 1)).toEqual({ holding: 30, failing: 31 })
    expect(around({ ...condition, op: 'gt', value: 30 }, 1)).toEqual({ holding: 31, failing: 30 })
  })
})

describe('references', () => {
  const missing = (reference: string): never => {
    throw new Error(reference)
  }

  it('stand for the value of their name, at any depth', () => {
    const found = resolved(
      { url: '$own.url', list: ['$n', '$$n', 'n'] },
      name => (name === 'own' ? { url: 'u' } : 7),
      missing,
    )
    expect(found).toEqual({ url: 'u', list: [7, '$n', 'n'] })
    expect(referencesIn({ url: '$own.url', list: ['$n', '$$n', 'n'] })).toEqual(['own', 'n'])
  })

  it('without a value are reported', () => {
    expect(() => resolved('$own.url', () => ({}), missing)).toThrow('$own.url')
  })
})
