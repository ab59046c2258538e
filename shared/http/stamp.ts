import type { ServerResponse } from 'node:http'
import type { JournalEntry } from '../journal/entry.js'

/** Says in the answer which instance it is from, and where the journal has its request; a batch has several entries. */
export function addStamp(response: ServerResponse, instance: string, { seq }: JournalEntry): void {
  response.setHeader('X-Understudy-Instance', instance)
  const before = response.getHeader('X-Understudy-Entry')
  response.setHeader('X-Understudy-Entry', before === undefined ? String(seq) : `${before}, ${seq}`)
}
