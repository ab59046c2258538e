import { z } from 'zod'
import { Refusal } from '../errors.js'
import { checked, strict } from '../util/check.js'
import type { HttpCall } from './http-call.js'

const nothing = strict({})

/**
 * The parameters of a request's URL, read by their schema.
 *
 * @throws Refusal `bad_query` for one that is unknown, given twice or not what it takes
 */
export function queryOf(call: HttpCall, schema: z.ZodObject | undefined): unknown {
  const given: Record<string, string> = {}
  for (const [name, value] of call.query) {
    if (Object.hasOwn(given, name)) {
      throw new Refusal('bad_query', `query.${name} is given twice`, 'give it once')
    }
    given[name] = value
  }
  const [first] = Object.keys(given)
  if (schema === undefined && first !== undefined) {
    throw new Refusal(
      'bad_query',
      `query.${first} is given, and ${call.path} takes no parameters`,
      'leave it out',
    )
  }
  return checked(schema ?? nothing, given, 'bad_query', 'query')
}

/** A whole number in a URL. */
export function wholeNumber(min: number, max = Number.MAX_SAFE_INTEGER) {
  return z
    .string()
    .regex(/^\d{1,16}$/, { error: 'expected a whole number' })
    .transform(Number)
    .pipe(z.int().min(min).max(max))
    .meta({ override: { type: 'integer', minimum: min } })
}

/** A switch in a URL. */
export const yesOrNo = z.enum(['1', '0', 'true', 'false']).transform(text => text === '1' || text === 'true')

/** A text in a URL that may say that there is none. */
export const textOrNone = z.string().transform(text => (text === '' ? null : text))

/** An object in a URL, as JSON. */
export const jsonObject = z
  .string()
  .transform((text, context) => {
    try {
      return z.record(z.string(), z.unknown()).parse(JSON.parse(text))
    } catch {
      context.issues.push({ code: 'custom', message: 'expected an object as JSON', input: text })
      return z.NEVER
    }
  })
  .meta({ override: { type: 'string' } })
