/** The type of `Values` without its undefined members, for use with `exactOptionalPropertyTypes`. */
type Defined<Values> = {
  [Key in keyof Values as undefined extends Values[Key] ? never : Key]: Values[Key]
} & {
  [Key in keyof Values as undefined extends Values[Key] ? Key : never]?: Exclude<Values[Key], undefined>
}

/** Copies an object without its undefined members. Use it to pass on only the options that are set. */
export function defined<Values extends object>(values: Values): Defined<Values> {
  const members = Object.entries(values).filter(([, value]) => value !== undefined)
  // Each member that the result requires is defined in `values`.
  return Object.fromEntries(members) as Defined<Values>
}

/** Returns whether a value is a JSON object: not null and not an array. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
