import type { EntryJson } from '../../../shared/journal/entry-json.js'
import { nameOf } from './call-log.js'

/** What stands behind these in a path is the id of something: each room would have lines of its own. */
const ID = /(?<=\/(?:rooms|room|me\/resources|webhook\/receive|identity)\/)(?!register$)[^/?\s]+/

/** What a call is counted as: a tool, a method, or a path without its id. */
export function rateNameOf(entry: EntryJson): string {
  const name = nameOf(entry)
  return entry.tool === null ? name.replace(ID, '…') : name
}
