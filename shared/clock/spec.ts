import { Refusal } from '../errors.js'

export const CLOCK_MODES = ['real', 'manual'] as const

/** `real` follows the machine and can be moved forward. `manual` moves only on request. */
export type ClockMode = (typeof CLOCK_MODES)[number]

/** Latest instant of a clock. Most parsers of ISO 8601 refuse a year with more than four digits. */
export const LATEST_INSTANT = Date.parse('9999-12-31T23:59:59.999Z')

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
  if (start >= 0 && start <= LATEST_INSTANT) return { mode: 'manual', start }
  throw new Refusal(
    'bad_clock',
    `${JSON.stringify(text)} is no clock`,
    'use real, manual, or manual@ and an instant, such as manual@2026-01-01T00:00:00Z',
  )
}

/** The mode and time of a clock, as plain data. `now` is in milliseconds since the epoch. */
export interface ClockSnapshot {
  readonly mode: ClockMode
  readonly now: number
}
