import { createHash } from 'node:crypto'
import { statement } from '../../../../shared/records/statement.js'

/** Characters of a subnet that are its own mark. What a proxy names instead of an address may be of any length. */
const MARK_CHARS = 64

/** Day, mark, subnet, cap. Counts and returns the count, unless that is the cap already. */
export const COUNT_PROVISION = statement(`
  INSERT INTO instanode_provisions AS provisions (day, mark, subnet, count)
  SELECT $1, $2, $3, 1 WHERE $4::int > 0
  ON CONFLICT (day, mark) DO UPDATE SET count = provisions.count + 1 WHERE provisions.count < $4
  RETURNING count`)
/** Whoever clears up at the same time has the rows it has locked. */
export const FORGET_PROVISIONS = statement(`
  DELETE FROM instanode_provisions WHERE (day, mark) IN (
    SELECT day, mark FROM instanode_provisions WHERE day < $1 FOR UPDATE SKIP LOCKED
  )`)
export const PROVISIONS = statement(
  'SELECT day, subnet, count FROM instanode_provisions ORDER BY day, subnet',
)
/** Day, mark, subnet, count. */
export const ADD_PROVISIONS = statement(
  'INSERT INTO instanode_provisions (day, mark, subnet, count) VALUES ($1, $2, $3, $4)',
)
export const CLEAR_PROVISIONS = statement('DELETE FROM instanode_provisions')

/** What a subnet is found by. */
export function markOf(subnet: string): string {
  if (subnet.length <= MARK_CHARS) return subnet
  return `sha256 ${createHash('sha256').update(subnet).digest('hex')}`
}

/** @param day `yyyy-mm-dd` */
export function dayBefore(day: string): string {
  const date = new Date(`${day}T00:00:00Z`)
  date.setUTCDate(date.getUTCDate() - 1)
  return date.toISOString().slice(0, 'yyyy-mm-dd'.length)
}
