import type { IncomingHttpHeaders } from 'node:http'

/** Matches the lower-case name of a header that is likely to hold a credential. */
const CREDENTIAL_NAME = /auth|cookie|credential|key|passw|secret|session|token/

/**
 * Headers that match {@link CREDENTIAL_NAME} but are not masked. The session id is in each journal entry
 * anyway, and an idempotency key is no credential.
 */
const PLAIN_HEADERS: ReadonlySet<string> = new Set(['mcp-session-id', 'idempotency-key'])

/**
 * The kinds of secrets in a text, each with a description and a pattern. The patterns also match inside JSON
 * that is a string in other JSON, where quotes are escaped.
 */
const SECRETS: readonly (readonly [what: string, pattern: RegExp])[] = [
  ['a database URL with its password', /(?<=postgres(?:ql)?:\/\/[^\s:/@"\\]+:)[^\s@"\\]+(?=@)/g],
  ['a JSON web token', /\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]+/g],
  ['the key of a room', /(?<=#k=)[\w-]{16,}/g],
  [
    'the token of a resource',
    /(?<=(?:token\\*"?\s*[:=]\s*\\*"?|\/webhook\/receive\/|\/api\/me\/resources\/|\[(?:postgres|webhook)\] ))[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}/gi,
  ],
]

/** A part of a text. `secret` describes the secret in the part, or is null for a part without a secret. */
export interface TextPart {
  readonly text: string
  readonly secret: string | null
}

/** Returns the descriptions of the secrets in a text. */
export function secretsIn(text: string): string[] {
  return SECRETS.flatMap(([what, pattern]) => (text.search(pattern) < 0 ? [] : [what]))
}

/** Splits a text into parts with and without secrets. The parts joined together are the original text. */
export function cutAtSecrets(text: string): TextPart[] {
  const found = SECRETS.flatMap(([secret, pattern]) =>
    [...text.matchAll(pattern)].map(match => ({
      secret,
      begin: match.index,
      end: match.index + match[0].length,
    })),
  ).sort((one, other) => one.begin - other.begin)
  const parts: TextPart[] = []
  let at = 0
  for (const { secret, begin, end } of found) {
    if (begin < at) continue
    if (begin > at) parts.push({ text: text.slice(at, begin), secret: null })
    parts.push({ text: text.slice(begin, end), secret })
    at = end
  }
  if (at < text.length) parts.push({ text: text.slice(at), secret: null })
  return parts
}

/** Replaces each secret in a text with its description in brackets. */
export function maskSecrets(text: string): string {
  return cutAtSecrets(text)
    .map(part => (part.secret === null ? part.text : `[${part.secret}]`))
    .join('')
}

/**
 * The number of characters that {@link beginningOf} searches beyond its limit, to find the end of a secret.
 * Every secret is expected to be shorter.
 */
const LONGEST_SECRET = 8192

/**
 * Returns the beginning of a text, at most `maxChars` characters. If a secret reaches that limit, the
 * result ends before the secret, because half of a secret would not be recognized.
 */
export function beginningOf(text: string, maxChars: number): string {
  if (text.length <= maxChars) return text
  let at = 0
  for (const part of cutAtSecrets(text.slice(0, maxChars + LONGEST_SECRET))) {
    const end = at + part.text.length
    if (end >= maxChars) return text.slice(0, part.secret === null ? maxChars : at)
    at = end
  }
  return text.slice(0, maxChars)
}

/**
 * Masks the values of headers that can contain a credential. Names and authentication schemes stay visible.
 *
 * @param headers headers with lower-case names
 * @param secretNames lower-case names of further headers to mask
 * @returns a copy, or `headers` itself if there is nothing to mask
 */
export function maskHeaders(
  headers: IncomingHttpHeaders,
  secretNames?: ReadonlySet<string>,
): IncomingHttpHeaders {
  let masked = headers
  for (const name in headers) {
    const value = headers[name]
    if (value === undefined || !(isCredentialName(name) || secretNames?.has(name))) continue
    if (masked === headers) masked = { ...headers }
    masked[name] = `${scheme(String(value))}[masked]`
  }
  return masked
}

function isCredentialName(name: string): boolean {
  return CREDENTIAL_NAME.test(name) && !PLAIN_HEADERS.has(name)
}

/**
 * Returns the authentication scheme of a header value, such as `Bearer ` of `Bearer abc`. A scheme is not
 * secret, and shows the kind of credential.
 */
function scheme(value: string): string {
  const space = value.indexOf(' ')
  return space > 0 && /^[A-Za-z-]+$/.test(value.slice(0, space)) ? value.slice(0, space + 1) : ''
}
