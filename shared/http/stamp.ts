import type { ServerResponse } from 'node:http'
import type { JournalEntry } from '../journal/entry.js'

/**
 * Adds headers with the instance's name and the `seq` of the journal entry. A batch gets the `seq` of each of
 * its entries.
 */
export function addStamp(response: ServerResponse, instance: string, { seq }: JournalEntry): void {
  response.setHeader('X-Understudy-Instance', instance)
  const before = response.getHeader('X-Understudy-Entry')
  response.setHeader('X-Understudy-Entry', before === undefined ? String(seq) : `${before}, ${seq}`)
}
