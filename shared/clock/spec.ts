import { Refusal } from '../errors.js'
import type { ClockMode } from './clock.js'

export interface ClockSpec {
  mode: ClockMode
  /** Milliseconds since the epoch. */
  start?: number
}

/**
 * Reads `real`, `manual` or `manual@2026-01-01T00:00:00Z`.
 *
 * @throws Refusal `bad_clock`
 */
export function readClockSpec(text: string): ClockSpec {
  if (text === 'real' || text === 'manual') return { mode: text }
  const start = text.startsWith('manual@') ? Date.parse(text.slice('manual@'.length)) : Number.NaN
  if (!Number.isNaN(start)) return { mode: 'manual', start }
  throw new Refusal(
    'bad_clock',
    `${JSON.stringify(text)} is no clock`,
    'it is real, manual, or manual@ with an instant such as manual@2026-01-01T00:00:00Z',
  )
}
