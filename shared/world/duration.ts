import { z } from 'zod'

const DURATION = /^P(?=.)(?:(\d+)W)?(?:(\d+)D)?(?:T(?=.)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d{1,3})?)S)?)?$/

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const UNITS = [7 * DAY, DAY, HOUR, MINUTE, SECOND]

/** Longer than anything here lasts; a stamp that far back still has a year of four digits. */
const LONGEST_MS = 366 * DAY

/** Weeks, days, hours, minutes and seconds of ISO 8601, e.g. `PT1H30M`; no months or years, which have no one length. */
export const duration = z
  .string()
  .refine(text => (durationMs(text) ?? Number.POSITIVE_INFINITY) <= LONGEST_MS, {
    error: 'expected a duration of ISO 8601 of a year at most, such as PT30S, PT10M, PT23H59M or P2D',
  })

/** @returns milliseconds; undefined if it is no duration */
export function durationMs(text: string): number | undefined {
  const match = DURATION.exec(text)
  if (match === null) return undefined
  const parts = match.slice(1).map(part => Number(part ?? 0))
  return Math.round(parts.reduce((sum, part, at) => sum + part * (UNITS[at] ?? 0), 0))
}
