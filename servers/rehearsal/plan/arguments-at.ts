import { isObject } from '../../../shared/util/is-object.js'

/** Arguments with another value at the end of `keys`; undefined takes it out. */
export function withValue(
  args: Readonly<Record<string, unknown>>,
  [key = '', ...rest]: readonly string[],
  value: unknown,
): Record<string, unknown> {
  const { [key]: before, ...others } = args
  if (rest.length > 0) return { ...args, [key]: withValue(isObject(before) ? before : {}, rest, value) }
  return value === undefined ? others : { ...args, [key]: value }
}

/** As a text that a scenario does not take for a reference. */
export function literally(value: unknown): unknown {
  return typeof value === 'string' && value.startsWith('$') ? `$${value}` : value
}
