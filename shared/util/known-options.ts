import { Refusal } from '../errors.js'
import { closestName } from './closest-name.js'

/** The name of every member of an options interface. The compiler checks that the list is complete. */
export type OptionNames<Options> = Readonly<Record<keyof Options, true>>

/**
 * Refuses options that a function does not have. Without this check, a misspelled option would have no
 * effect.
 *
 * @param call the name of the function, for example `createUnderstudy`
 * @throws Refusal `unknown_option` with the closest name
 */
export function refuseUnknownOptions(
  options: object,
  known: Readonly<Record<string, true>>,
  call: string,
): void {
  const unknown = Object.keys(options).find(name => !Object.hasOwn(known, name))
  if (unknown === undefined) return
  const names = Object.keys(known)
  const near = closestName(unknown, names)
  throw new Refusal(
    'unknown_option',
    `${call} has no option ${JSON.stringify(unknown)}`,
    near === undefined ? `there are ${names.join(', ')}` : `did you mean ${JSON.stringify(near)}?`,
  )
}
