import { z } from 'zod'
import { Refusal } from './errors.js'
import { shown } from './shown.js'

/** An object that takes no other fields than these; one it does not know is refused by name, with those it does. */
export function strict<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: issue =>
      issue.code === 'unrecognized_keys'
        ? `does not know ${quoted(issue.keys)}: there are ${Object.keys(shape).join(', ')}`
        : undefined,
  })
}

/**
 * One of several kinds of object, each told by a field of its own.
 *
 * @param what what they are kinds of, e.g. `fault`
 * @param kinds by the field that tells them
 */
export function oneKind<Kinds extends Record<string, z.ZodObject>>(what: string, kinds: Kinds) {
  const known = Object.keys(kinds)
  // zod would tell what is wrong with the value as each of the kinds in turn.
  const explain = (input: unknown): string => {
    const given = typeof input === 'object' && input !== null ? Object.keys(input) : []
    const kind = given.find(key => known.includes(key))
    if (kind !== undefined) {
      const issues = kinds[kind]?.safeParse(input).error?.issues ?? []
      return issues.map(issue => sentence(issue)).join('; ')
    }
    const is = given.length === 0 ? shown(input) : quoted(given)
    return `is ${is}, which is no kind of ${what}: there are ${known.join(', ')}`
  }
  const schemas = Object.values(kinds) as Kinds[keyof Kinds][]
  return z.union(schemas, { error: issue => explain(issue.input) })
}

/**
 * A value from outside, read by its schema.
 *
 * @param code of the refusal
 * @param what the value is, e.g. `faults`
 * @throws Refusal that names every field at fault
 */
export function checked<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  code: string,
  what: string,
): z.output<Schema> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw new Refusal(code, `${what}: ${parsed.error.issues.map(issue => sentence(issue)).join('; ')}`)
}

function sentence({ path, message }: z.core.$ZodIssue): string {
  const text = message.charAt(0).toLowerCase() + message.slice(1)
  return path.length === 0 ? text : `${inWords(path)} ${text}`
}

/** `faults[0].do` of what zod has as a list. */
function inWords(path: readonly PropertyKey[]): string {
  return path
    .map(key => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
    .join('')
    .replace(/^\./, '')
}

function quoted(names: readonly string[]): string {
  return names.map(name => JSON.stringify(name)).join(', ')
}
