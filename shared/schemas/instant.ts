import { z } from 'zod'

/** A time on the clock of an instance, as a string in the format of all answers. */
export const instant = z.string().describe('ISO 8601, UTC, by the instance’s clock')

/** Formats an instant as ISO 8601. @param ms milliseconds since the epoch */
export function iso(ms: number): string {
  return new Date(ms).toISOString()
}
