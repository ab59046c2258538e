import { describe, expect, it } from 'vitest'
import type { Condition } from '../../../servers/gateway/policy/model.js'
import { testOf } from '../../../servers/gateway/policy/operators.js'
import { around } from '../../../servers/rehearsal/plan/condition-values.js'
import { nearValues } from '../../../servers/rehearsal/plan/near-values.js'
import { similarNames } from '../../../servers/rehearsal/plan/odd-requests.js'
import { patternTexts } from '../../../servers/rehearsal/plan/pattern-values.js'

type Operation = Pick<Condition, 'op' | 'value'>

function condition({ op, value }: Operation): Condition {
  return { op, value, path: 'args.x', subject: { from: 'args', keys: ['x'] } }
}

/** The values that one condition takes and another one does not. */
function telling(genuine: Operation, other: Operation): unknown[] {
  const { holding, failing } = around(condition(genuine), undefined)
  const values = nearValues(condition(genuine), holding ?? failing)
  const [test, otherTest] = [testOf(genuine.op, genuine.value), testOf(other.op, other.value)]
  return values.filter(value => test(value) !== otherTest(value))
}

const NAME = '^[a-z]{1,64}$'
const HOST = '^https://(a|b)\\.example/[a-z]+$'

describe('values next to a pattern', () => {
  it.each([
    [NAME, '[a-z]{1,64}'],
    [NAME, '^[a-z]{1,64}'],
    [NAME, '[a-z]{1,64}$'],
    [NAME, '^[a-z]{1,65}$'],
    [NAME, '^[a-z]{1,63}$'],
    [NAME, '^[a-z]{0,64}$'],
    [NAME, '^[a-z]{2,64}$'],
    [NAME, '^[a-z]+$'],
    [NAME, '^[a-z/]{1,64}$'],
    [NAME, '^[a-z0-9]{1,64}$'],
    [NAME, '^[a-z_]{1,64}$'],
    [NAME, '^[a-y]{1,64}$'],
    [NAME, '^[b-z]{1,64}$'],
    [NAME, '(?i)^[a-z]{1,64}$'],
    [NAME, '^.{1,64}$'],
    [NAME, '(?m)^[a-z]{1,64}$'],
    [NAME, '^[a-z]{1,64}\n?$'],
    [NAME, '^ ?[a-z]{1,64}$'],
    [HOST, '^https://(a|b).example/[a-z]+$'],
    [HOST, '^https?://(a|b)\\.example/[a-z]+$'],
    [HOST, '^https://(a|b|c)?\\.example/[a-z]+$'],
    [HOST, '^https://a\\.example/[a-z]+$'],
    [HOST, '^https://(a|b)\\.example/[a-z]*$'],
    [HOST, 'https://(a|b)\\.example/[a-z]+$'],
    ['^\\d{4}-\\d{2}$', '^\\d{4}-?\\d{2}$'],
    ['^\\d{4}-\\d{2}$', '^\\w{4}-\\d{2}$'],
    ['secret', '^secret'],
    ['secret', '(?i)secret'],
  ])('%s differs from %s', (pattern, other) => {
    expect(telling({ op: 'regex', value: pattern }, { op: 'regex', value: other })).not.toEqual([])
  })

  it('come from every part of the syntax', () => {
    const patterns = [
      'a|b',
      '(?:ab)+c?',
      '[^a-z]',
      '\\x41\\.\\d',
      '[[:alpha:]_-]{2,3}',
      '(?P<n>x)y',
      '[\\w.]*',
    ]
    for (const pattern of patterns) {
      const test = testOf('regex', `^(?:${pattern})$`)
      const texts = patternTexts(pattern)
      expect(texts.some(test), pattern).toBe(true)
      expect(texts.every(test), pattern).toBe(false)
    }
  })

  it('do not exist for an invalid pattern', () => {
    expect(patternTexts('\\p{Greek}+')).toEqual([])
  })
})

describe('values next to other conditions', () => {
  it.each<[Operation, Operation]>([
    [
      { op: 'lte', value: 30 },
      { op: 'lt', value: 30 },
    ],
    [
      { op: 'lte', value: 30 },
      { op: 'lte', value: 31 },
    ],
    [
      { op: 'lte', value: 30 },
      { op: 'lte', value: 30.0005 },
    ],
    [
      { op: 'gt', value: 30 },
      { op: 'gte', value: 30 },
    ],
    [
      { op: 'gte', value: 0 },
      { op: 'gt', value: -1 },
    ],
    [
      { op: 'eq', value: 'main' },
      { op: 'regex', value: 'main' },
    ],
    [
      { op: 'eq', value: 'main' },
      { op: 'regex', value: '(?i)^main$' },
    ],
    [
      { op: 'eq', value: 'main' },
      { op: 'regex', value: '^\\s*main\\s*$' },
    ],
    [
      { op: 'neq', value: 'main' },
      { op: 'exists', value: true },
    ],
    [
      { op: 'in', value: ['ab', 'cd'] },
      { op: 'in', value: ['ab', 'cd', 'AB'] },
    ],
    [
      { op: 'in', value: ['ab', 'cd'] },
      { op: 'in', value: ['ab'] },
    ],
    [
      { op: 'in', value: ['ab', 'cd'] },
      { op: 'regex', value: '^(ab|cd)' },
    ],
    [
      { op: 'in', value: ['ab', 'cd'] },
      { op: 'regex', value: '^(ab|cd|a)$' },
    ],
    [
      { op: 'not_in', value: ['ab', 'cd'] },
      { op: 'not_in', value: ['cd'] },
    ],
    [
      { op: 'not_in', value: [1, 2] },
      { op: 'not_in', value: [1] },
    ],
    [
      { op: 'contains', value: 'secret' },
      { op: 'regex', value: '(?i)secret' },
    ],
    [
      { op: 'contains', value: 'secret' },
      { op: 'eq', value: 'secret' },
    ],
    [
      { op: 'contains', value: 'secret' },
      { op: 'contains', value: 'secre' },
    ],
    [
      { op: 'exists', value: false },
      { op: 'in', value: ['', 'x'] },
    ],
  ])('%j differs from %j', (genuine, other) => {
    expect(telling(genuine, other)).not.toEqual([])
  })
})

describe('names similar to that of a tool', () => {
  it.each([
    ['without regard to case', (name: string) => name.toLowerCase()],
    ['after trimming', (name: string) => name.trim()],
    ['after Unicode normalisation', (name: string) => name.normalize('NFKC')],
    ['without characters that are not seen', (name: string) => name.replace(/[\u200b\ufeff\0]/g, '')],
    ['with dashes for underscores', (name: string) => name.replaceAll('-', '_')],
    ['by their beginning', (name: string) => name.slice(0, 'claim_task'.length)],
  ])('one is the name of the tool if compared %s', (_, loosely) => {
    const names = similarNames('claim_task')
    expect(names).not.toContain('claim_task')
    expect(names.map(loosely)).toContain('claim_task')
  })
})
