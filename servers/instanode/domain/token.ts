import { invalidToken } from './refusals.js'

/** The spellings the service takes: with or without dashes, in braces, as a URN, in either case. */
const SPELLINGS = [
  /^(?:urn:uuid:)?([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})$/i,
  /^\{([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})\}$/i,
  /^([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$/i,
]

/**
 * A resource token in its canonical spelling: a lower-case UUID.
 *
 * @throws ServiceRefusal 400 `invalid_token`
 */
export function readToken(text: string): string {
  for (const spelling of SPELLINGS) {
    const match = spelling.exec(text)
    if (match !== null) return match.slice(1).join('-').toLowerCase()
  }
  throw invalidToken(text)
}
