import { z } from 'zod'
import { Refusal } from '../errors.js'
import { closestName } from './closest-name.js'
import { cut, shown } from './shown.js'

/** The most that a refusal says is wrong with one value. */
const MAX_SENTENCES = 20

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
 * @param what the name of the general kind, e.g. `fault`
 * @param kinds by the field that tells them
 */
export function oneKind<Kinds extends Record<string, z.ZodObject>>(what: string, kinds: Kinds) {
  const known = Object.keys(kinds).join(', ')
  // Object.values forgets which kinds they are.
  const schemas = Object.values(kinds) as Kinds[keyof Kinds][]
  return z.union(schemas, {
    error: ({ input }) => {
      const given = typeof input === 'object' && input !== null ? Object.keys(input) : []
      const is = given.length === 0 ? shown(input) : quoted(given)
      return `is ${is}, which is no kind of ${what}: there are ${known}`
    },
  })
}

/** Names the whole value, for the error about one path in it. */
export type NameOf = (path: readonly PropertyKey[]) => string

/**
 * Reads a value from outside by its schema.
 *
 * @param code of the refusal
 * @param what name of the value, e.g. `faults`; or a function that names it for a path, e.g. with the line in its file
 * @throws Refusal that names every field at fault, with its value and what it takes
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
  const more = wrong.length > MAX_SENTENCES ? [`and ${wrong.length - MAX_SENTENCES} more`] : []
  throw new Refusal(code, [...wrong.slice(0, MAX_SENTENCES), ...more].join('; '))
}

/**
 * @param base path of `value` in the whole value
 * @param value the value at which the path of the issue begins
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
    const meant = issue.errors.find(errors => errors.every(error => isMeant(error, here)))
    if (meant !== undefined) return meant.flatMap(error => sentences(error, here, nameOf, whole))
    return [`${path} ${issue.message}`]
  }
  if (issue.code === 'unrecognized_keys') return [`${path} ${issue.message}`]
  // zod's "Invalid input: expected string, received undefined", without what the value shows by itself.
  const takes = issue.message.replace(/^[^:]*: /, '').replace(/, received .*$/, '')
  return [`${path} is ${here === undefined ? 'missing' : shown(here)}: ${takes}${meant(issue, here)}`]
}

/** Returns a hint with the allowed word that is closest to a wrong one, or an empty text. */
function meant(issue: z.core.$ZodIssue, value: unknown): string {
  if (issue.code !== 'invalid_value' || typeof value !== 'string') return ''
  const closest = closestName(
    value,
    issue.values.filter(word => typeof word === 'string'),
  )
  return closest === undefined ? '' : `, ${JSON.stringify(closest)} is probably meant`
}

/** Whether what is wrong with a value as one of several kinds is not just that it is of another. */
function isMeant({ code, path }: z.core.$ZodIssue, value: unknown): boolean {
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
