import { statement } from '../../../../shared/records/statement.js'
import type { Usage } from '../store.js'

/**
 * Rooms know how much is in them, and there are no more than some thousands: to add that up takes less than
 * to keep a sum would.
 */
export const USAGE =
  'SELECT count(*) AS rooms, sum(buffered) AS messages, sum(ciphertext_chars)::bigint AS chars FROM rooms'

export const USAGE_OF_ALL = statement(USAGE)

/** A sum of nothing is null. */
export type UsageRow = {
  rooms: number
  messages: number | null
  chars: number | null
}

export function readUsage(row: UsageRow | undefined): Usage {
  return { rooms: row?.rooms ?? 0, messages: row?.messages ?? 0, ciphertextChars: row?.chars ?? 0 }
}
