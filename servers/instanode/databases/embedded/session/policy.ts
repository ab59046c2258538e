import { BODY, type Frame, frame, readCstring } from '../wire/frames.js'

/**
 * Whoever opened the engine is its superuser and may become anyone, and would become one again by this command. It is
 * answered as PostgreSQL answers a client that has no such past.
 */
const BECOMING =
  /\bset\s+(?:(?:session|local)\s+)?session\s+authorization\s+(?!default\b)|\bset\s+(?:(?:session|local)\s+)?session_authorization\b/i
const DENIED = `DO $$ BEGIN RAISE EXCEPTION 'permission denied to set session authorization' USING ERRCODE = '42501'; END $$`

/** Commands that free space, and those that only surround them. */
const FREEING = /^\s*(?:$|(?:delete|truncate|drop|vacuum|begin|start|commit|end|rollback)\b)/i

/** Puts the answer in the place of a command that is not allowed, so that a transaction fails as it should. */
export function withoutPromotion(message: Frame): Frame {
  if (message.type === 'Q') {
    if (!BECOMING.test(readCstring(message.bytes, BODY).text)) return message
    return { type: 'Q', bytes: frame('Q', DENIED) }
  }
  if (message.type !== 'P') return message
  const name = readCstring(message.bytes, BODY)
  const query = readCstring(message.bytes, name.next)
  if (!BECOMING.test(query.text)) return message
  return { type: 'P', bytes: frame('P', name.text, DENIED, message.bytes.subarray(query.next)) }
}

/**
 * May a batch go beyond the quota? What frees space often needs some first: VACUUM FULL writes a table anew.
 *
 * A semicolon in a string can only turn the answer to no.
 */
export function onlyFrees(sql: readonly string[]): boolean {
  return sql.length > 0 && sql.every(text => text.split(';').every(piece => FREEING.test(piece)))
}
