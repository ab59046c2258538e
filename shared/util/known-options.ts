import { Refusal } from '../errors.js'
import { closestName } from './closest-name.js'

/** Names every member of an options interface: the compiler compares the list with the interface. */
export type OptionNames<Options> = Readonly<Record<keyof Options, true>>

/**
 * Refuses members that an options object does not have: a misspelled option would have no effect.
 *
 * @param call names the function in the error, e.g. `createUnderstudy`
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
