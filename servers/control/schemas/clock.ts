import { z } from 'zod'
import type { Clock } from '../../../shared/clock/clock.js'
import { CLOCK_MODES } from '../../../shared/clock/spec.js'
import { iso } from '../../../shared/schemas/instant.js'
import { strict } from '../../../shared/util/check.js'

export const clockState = z
  .strictObject({
    mode: z.enum(CLOCK_MODES),
    now: z.string().describe('ISO 8601, UTC'),
    nowMs: z.int().describe('milliseconds since the epoch'),
  })
  .meta({ id: 'Clock' })

export type ClockState = z.infer<typeof clockState>

export const advanceRequest = strict({
  ms: z.int().min(0).describe('milliseconds by which the clock moves forward'),
}).meta({
  id: 'AdvanceRequest',
})

export function clockStateOf(clock: Clock): ClockState {
  const nowMs = clock.now()
  return { mode: clock.mode, now: iso(nowMs), nowMs }
}
