/**
 * Matches white space at both ends of a text, by Unicode's property White_Space, as Instanode does.
 * `String.trim` differs on U+0085 and U+FEFF.
 */
const OUTER_SPACE = /^\p{White_Space}+|\p{White_Space}+$/gu

/** Characters that Go's encoder escapes, so that its JSON is safe in HTML and scripts. */
const ESCAPED = /[<>&\u2028\u2029]/g

/**
 * Formats a value as compact JSON in the form in which Go's encoder writes a map: keys sorted, five
 * characters escaped. Services and gateways in Go answer and hash in this form, so the same value gives the
 * same bytes.
 *
 * @throws RangeError for a value that is nested too deeply
 */
export function goJson(value: unknown): string {
  return escaped(JSON.stringify(value, sorted))
}

/**
 * Formats a value in the form in which Go's encoder writes a struct. Like {@link goJson}, but keys keep their
 * order.
 */
export function goStructJson(value: unknown): string {
  return escaped(JSON.stringify(value))
}

function escaped(json: string): string {
  return json.replace(ESCAPED, char => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

function sorted(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}

export function trimSpace(text: string): string {
  return text.replace(OUTER_SPACE, '')
}

/** Formats an instant in RFC 3339, UTC. Null stays null. */
export function timestamp(instant: number): string

export function timestamp(instant: number | null): string | null

export function timestamp(instant: number | null): string | null {
  return instant === null ? null : new Date(instant).toISOString()
}
