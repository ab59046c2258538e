import type { ServerResponse } from 'node:http'
import type { JournalEntry } from '../journal/entry.js'

/**
 * Adds headers with the name of the instance and the `seq` of the journal entry. In the answer to a batch,
 * the header lists the `seq` of each entry.
 */
export function addStamp(response: ServerResponse, instance: string, { seq }: JournalEntry): void {
  response.setHeader('X-Understudy-Instance', instance)
  const before = response.getHeader('X-Understudy-Entry')
  response.setHeader('X-Understudy-Entry', before === undefined ? String(seq) : `${before}, ${seq}`)
}
