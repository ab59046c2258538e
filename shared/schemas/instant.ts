import { z } from 'zod'

/** An instant of the instance's clock, as answers write it. */
export const instant = z.string().describe('ISO 8601, UTC, by the instance’s clock')

/** @param ms milliseconds since the epoch */
export function iso(ms: number): string {
  return new Date(ms).toISOString()
}
