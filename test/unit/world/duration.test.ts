import { expect, it } from 'vitest'
import { durationMs } from '../../../shared/world/duration.js'

it.each([
  ['PT0S', 0],
  ['PT1.5S', 1500],
  ['PT10M', 600_000],
  ['PT1H30M', 5_400_000],
  ['P1DT12H', 129_600_000],
  ['P2W', 1_209_600_000],
])('%s is %i ms', (text, ms) => {
  expect(durationMs(text)).toBe(ms)
})

it.each(['', 'P', 'PT', 'P1DT', '10M', 'P1Y', 'P1M', 'PT-1S', 'PT1.2345S', 'P1D2H'])(
  '%j is invalid',
  text => {
    expect(durationMs(text)).toBeUndefined()
  },
)
