import { Refusal } from '../../../shared/errors.js'
import type { DatabaseCopies } from './provider.js'

/** What a provider says that cannot copy databases. @throws Refusal `not_supported` unless there are none to copy */
export function copyNothing(names: readonly string[], why: string): DatabaseCopies {
  if (names.length === 0) return { id: 'none', names: [] }
  throw new Refusal('not_supported', `${names.length} databases cannot be copied: ${why}`)
}
