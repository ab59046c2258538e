import { expect, it } from 'vitest'
import {
  bytesInWords,
  durationInWords,
  effectInWords,
  leftInWords,
  whenInWords,
} from '../../../servers/page/model/format.js'

it.each([
  [86_400_000, '1 d'],
  [86_399_000, '23 h 59 min'],
  [3_600_000, '1 h'],
  [61_000, '1 min 1 s'],
  [1, '1 s'],
  [0, 'now'],
  [-5, 'now'],
])('shows a remaining time: %d ms is %s', (ms, words) => {
  expect(leftInWords(ms)).toBe(words)
})

it('counts bytes in the units of limits', () => {
  expect([0, 1023, 1024, 10 * 1024 * 1024, 500 * 1024 * 1024].map(bytesInWords)).toEqual([
    '0 B',
    '1023 B',
    '1.0 kB',
    '10 MB',
    '500 MB',
  ])
})

it('shows the duration of a call, and that it has not ended', () => {
  expect([0.42, 38.4, 1234, 12_345, null].map(durationInWords)).toEqual([
    '0.4 ms',
    '38 ms',
    '1.2 s',
    '12 s',
    '–',
  ])
})

it('shows when a fault is injected, and what it does', () => {
  expect([{ nth: 2 }, { first: 1 }, { every: 3 }, { always: true } as const].map(whenInWords)).toEqual([
    'on call 2',
    'on the first call',
    'on one call in 3',
    'on every call',
  ])
  expect(effectInWords({ hang: true })).toBe('hang')
  expect(effectInWords({ rpcError: { code: -32000, message: 'no' } })).toBe(
    'rpcError {"code":-32000,"message":"no"}',
  )
})
