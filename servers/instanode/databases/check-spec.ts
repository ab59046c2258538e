import { Refusal } from '../../../shared/errors.js'
import type { DatabaseLimits, DatabaseSpec } from './provider.js'

const NAME = /^db_[0-9a-f]{12}$/
const USER = /^usr_[0-9a-f]{12}$/
const PASSWORD = /^[\x21-\x7e]{1,256}$/

/** @throws Refusal `bad_database_spec` for anything that is not exactly a database's name */
export function checkName(name: string): void {
  if (!NAME.test(name))
    throw bad(`${JSON.stringify(name)} is no database name`, 'use db_ and 12 hexadecimal digits')
}

/** @throws Refusal `bad_database_spec` unless both are whole numbers, 1 or more, or storage has no limit */
export function checkLimits(limits: DatabaseLimits): void {
  for (const [what, value] of [
    ['storageBytes', limits.storageBytes],
    ['connections', limits.connections],
  ] as const)
    if (value !== null && (!Number.isSafeInteger(value) || value < 1))
      throw bad(`${what} cannot be ${value}`, 'use a whole number, 1 or more')
}

/** @throws Refusal `bad_database_spec`; what passes can be quoted into SQL and used as a file name */
export function checkSpec(spec: DatabaseSpec): void {
  checkName(spec.name)
  if (!USER.test(spec.user))
    throw bad(`${JSON.stringify(spec.user)} is no user name`, 'use usr_ and 12 hexadecimal digits')
  if (!PASSWORD.test(spec.password))
    throw bad('the password cannot be used', 'use 1 to 256 printable ASCII characters')
  checkLimits(spec.limits)
}

function bad(message: string, hint: string): Refusal {
  return new Refusal('bad_database_spec', message, hint)
}
