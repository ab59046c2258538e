import { z } from 'zod'

/** An instant of the instance's clock, in the form that answers use. */
export const instant = z.string().describe('ISO 8601, UTC, by the instance’s clock')

/** Formats an instant as ISO 8601. @param ms milliseconds since the epoch */
export function iso(ms: number): string {
  return new Date(ms).toISOString()
}
