import { isObject } from '../../../shared/util/is-object.js'

/** Finds what a reference stands for; undefined if nothing goes by that name. */
export type Lookup = (name: string) => unknown

/**
 * Arguments with what their references stand for: a text that is `$name` or `$name.field.field`. `$$` begins a text with a dollar.
 *
 * @param missing called with a reference that stands for nothing
 */
export function resolved(args: unknown, lookup: Lookup, missing: (reference: string) => never): unknown {
  if (typeof args === 'string') {
    if (args.startsWith('$$')) return args.slice(1)
    if (!args.startsWith('$')) return args
    const [name = '', ...keys] = args.slice(1).split('.')
    const found = keys.reduce<unknown>((part, key) => (isObject(part) ? part[key] : undefined), lookup(name))
    return found === undefined ? missing(args) : found
  }
  if (Array.isArray(args)) return args.map(item => resolved(item, lookup, missing))
  if (!isObject(args)) return args
  return Object.fromEntries(
    Object.entries(args).map(([key, value]) => [key, resolved(value, lookup, missing)]),
  )
}

/** The names that arguments refer to. */
export function referencesIn(args: unknown): string[] {
  if (typeof args === 'string') {
    return args.startsWith('$') && !args.startsWith('$$') ? args.slice(1).split('.').slice(0, 1) : []
  }
  if (Array.isArray(args)) return args.flatMap(referencesIn)
  return isObject(args) ? Object.values(args).flatMap(referencesIn) : []
}
