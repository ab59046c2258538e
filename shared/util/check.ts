import { z } from 'zod'
import { Refusal } from '../errors.js'
import { closestName } from './closest-name.js'
import { cut, shown } from './shown.js'

/** Maximum number of flaws in one value that an error lists. */
const MAX_LISTED_FLAWS = 20

/**
 * Creates the schema of an object that allows only the fields of `shape`. The error for an unknown field
 * names that field and the allowed fields.
 */
export function strict<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: issue =>
      issue.code === 'unrecognized_keys'
        ? `does not know ${quoted(issue.keys)}: there are ${Object.keys(shape).join(', ')}`
        : undefined,
  })
}

/**
 * Creates the schema of an object that is one of several kinds. Each kind has a field that no other kind has.
 * This field identifies the kind.
 *
 * @param what the name of the object in errors, for example `fault`
 * @param kinds the schema of each kind, by the field that identifies it
 */
export function oneKind<Kinds extends Record<string, z.ZodObject>>(what: string, kinds: Kinds) {
  const known = Object.keys(kinds).join(', ')
  // `Object.values` loses the type of the kinds.
  const schemas = Object.values(kinds) as Kinds[keyof Kinds][]
  return z.union(schemas, {
    error: ({ input }) => {
      const given = typeof input === 'object' && input !== null ? Object.keys(input) : []
      const is = given.length === 0 ? shown(input) : quoted(given)
      return `is ${is}, which is no kind of ${what}: there are ${known}`
    },
  })
}

/** Returns the name that an error at `path` gives to the whole value. */
export type NameOf = (path: readonly PropertyKey[]) => string

/**
 * Checks a value from outside of the program against its schema.
 *
 * @param code the code of the refusal
 * @param what the name of the value in errors, for example `faults`. A function can return a name for each
 *   path
 * @throws Refusal that names every invalid field, its value and the allowed values
 */
export function checked<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  code: string,
  what: string | NameOf,
): z.output<Schema> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const nameOf = typeof what === 'string' ? () => what : what
  const wrong = parsed.error.issues.flatMap(issue => sentences(issue, value, nameOf))
  const more = wrong.length > MAX_LISTED_FLAWS ? [`and ${wrong.length - MAX_LISTED_FLAWS} more`] : []
  throw new Refusal(code, [...wrong.slice(0, MAX_LISTED_FLAWS), ...more].join('; '))
}

/**
 * Describes an issue of zod in sentences.
 *
 * @param value the value in which the path of the issue begins
 * @param base path of `value` in the whole value
 */
function sentences(
  issue: z.core.$ZodIssue,
  value: unknown,
  nameOf: NameOf,
  base: readonly PropertyKey[] = [],
): string[] {
  const here = at(value, issue.path)
  const whole = [...base, ...issue.path]
  const path = `${nameOf(whole)}${whole.map(step).join('')}`
  if (issue.code === 'invalid_union') {
    const likelyKind = issue.errors.find(errors => errors.every(error => isWithinKind(error, here)))
    if (likelyKind !== undefined) return likelyKind.flatMap(error => sentences(error, here, nameOf, whole))
    return [`${path} ${issue.message}`]
  }
  if (issue.code === 'unrecognized_keys') return [`${path} ${issue.message}`]
  // Of zod's "Invalid input: expected string, received undefined", keeps "expected string". The error shows
  // the received value in its own words.
  const expectation = issue.message.replace(/^[^:]*: /, '').replace(/, received .*$/, '')
  return [
    `${path} is ${here === undefined ? 'missing' : shown(here)}: ${expectation}${closestHint(issue, here)}`,
  ]
}

/** If a value is a misspelled word, returns a hint with the allowed word. Otherwise returns an empty text. */
function closestHint(issue: z.core.$ZodIssue, value: unknown): string {
  if (issue.code !== 'invalid_value' || typeof value !== 'string') return ''
  const closest = closestName(
    value,
    issue.values.filter(word => typeof word === 'string'),
  )
  return closest === undefined ? '' : `, ${JSON.stringify(closest)} is probably meant`
}

/**
 * Returns true if an issue is a mistake in an object of this kind. Returns false if the object seems to be of
 * another kind.
 */
function isWithinKind({ code, path }: z.core.$ZodIssue, value: unknown): boolean {
  if (path.length === 0) return code === 'unrecognized_keys'
  return path.length > 1 || at(value, path) !== undefined
}

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (part, key) => (typeof part === 'object' && part !== null ? Reflect.get(part, key) : undefined),
    value,
  )
}

function step(key: PropertyKey): string {
  return typeof key === 'number' ? `[${key}]` : `.${cut(String(key))}`
}

function quoted(names: readonly string[]): string {
  return cut(names.map(name => JSON.stringify(name)).join(', '))
}
