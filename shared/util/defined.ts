/** `Values` without its undefined members, as `exactOptionalPropertyTypes` wants it. */
type Defined<Values> = {
  [Key in keyof Values as undefined extends Values[Key] ? never : Key]: Values[Key]
} & {
  [Key in keyof Values as undefined extends Values[Key] ? Key : never]?: Exclude<Values[Key], undefined>
}

/** Copies an object without the members that are undefined: for options that are only passed on if they are given. */
export function defined<Values extends object>(values: Values): Defined<Values> {
  const members = Object.entries(values).filter(([, value]) => value !== undefined)
  // Each member that the result requires is defined in `values`.
  return Object.fromEntries(members) as Defined<Values>
}
