import { z } from 'zod'
import { Refusal } from '../errors.js'
import { checked, strict } from '../util/check.js'
import { shown } from '../util/shown.js'
import { CLOCK_MODES, type ClockMode, LATEST_INSTANT } from './spec.js'

const milliseconds = z.int().min(0).max(LATEST_INSTANT)

/** The values that a clock can be set to. */
export const changeSchema = strict({
  mode: z.enum(CLOCK_MODES).exactOptional().describe('unchanged if not given'),
  now: z
    .union([milliseconds, z.iso.datetime({ offset: true })], {
      error: ({ input }) =>
        `is ${shown(input)}: expected an instant such as 2026-01-01T00:00:00Z, or milliseconds since 1970`,
    })
    .exactOptional()
    .describe('an instant in ISO 8601, or milliseconds since the epoch'),
  nowMs: milliseconds.exactOptional().describe('in place of now: milliseconds since the epoch'),
})

export type ClockChange = z.input<typeof changeSchema>

/**
 * Checks a change of a clock.
 *
 * @returns the new mode, and the new time in milliseconds since the epoch. Undefined: unchanged
 * @throws Refusal `bad_clock`
 */
export function readChange(change: ClockChange): { mode: ClockMode | undefined; now: number | undefined } {
  const { mode, now: given, nowMs } = checked(changeSchema, change, 'bad_clock', 'clock')
  const instant = typeof given === 'string' ? Date.parse(given) : given
  if (instant !== undefined && nowMs !== undefined && instant !== nowMs) {
    throw new Refusal('bad_clock', `clock.now is ${given} and clock.nowMs ${nowMs}`, 'give one of them')
  }
  const now = instant ?? nowMs
  if (now === undefined || (now >= 0 && now <= LATEST_INSTANT)) return { mode, now }
  throw new Refusal('bad_clock', `clock.now is ${JSON.stringify(given)}`, 'give an instant from 1970 to 9999')
}
