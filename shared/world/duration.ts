import { z } from 'zod'

const DURATION = /^P(?=.)(?:(\d+)W)?(?:(\d+)D)?(?:T(?=.)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d{1,3})?)S)?)?$/

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const UNITS = [7 * DAY, DAY, HOUR, MINUTE, SECOND]

/**
 * Maximum length of a duration, in milliseconds. No world needs a longer one, and an instant that far back
 * still has a year of four digits.
 */
const LONGEST_MS = 366 * DAY

/**
 * An ISO 8601 duration in weeks, days, hours, minutes and seconds, for example `PT1H30M`. Months and years
 * are not allowed, because their length varies.
 */
export const duration = z
  .string()
  .refine(text => (durationMs(text) ?? Number.POSITIVE_INFINITY) <= LONGEST_MS, {
    error: 'expected an ISO 8601 duration of at most a year, such as PT30S, PT10M, PT23H59M or P2D',
  })

/** Parses a duration. @returns milliseconds, or undefined if the text is not a duration */
export function durationMs(text: string): number | undefined {
  const match = DURATION.exec(text)
  if (match === null) return undefined
  const parts = match.slice(1).map(part => Number(part ?? 0))
  return Math.round(parts.reduce((sum, part, at) => sum + part * (UNITS[at] ?? 0), 0))
}
