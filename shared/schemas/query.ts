import { z } from 'zod'

/** Creates the schema of a whole number in a URL. */
export function wholeNumber(min: number, max = Number.MAX_SAFE_INTEGER) {
  return z
    .string()
    .regex(/^\d{1,16}$/, { error: 'expected a whole number' })
    .transform(Number)
    .pipe(z.int().min(min).max(max))
    .meta({ override: { type: 'integer', minimum: min } })
}

/** A boolean in a URL. */
export const yesOrNo = z.enum(['1', '0', 'true', 'false']).transform(text => text === '1' || text === 'true')

/** A text in a URL. The empty text means null. */
export const textOrNone = z.string().transform(text => (text === '' ? null : text))

/** A JSON object in a URL. */
export const jsonObject = z
  .string()
  .transform((text, context) => {
    try {
      return z.record(z.string(), z.unknown()).parse(JSON.parse(text))
    } catch {
      context.issues.push({ code: 'custom', message: 'expected a JSON object', input: text })
      return z.NEVER
    }
  })
  .meta({ override: { type: 'string' } })
