import type { IncomingHttpHeaders } from 'node:http'

const SECRET_HEADERS = ['authorization', 'cookie', 'proxy-authorization', 'x-api-key'] as const

/** Patterns of secrets in text. Quotes are escaped in text inside of JSON. */
const SECRETS: readonly (readonly [what: string, pattern: RegExp])[] = [
  ['a database URL with its password', /(?<=postgres(?:ql)?:\/\/[^\s:/@"\\]+:)[^\s@"\\]+(?=@)/g],
  ['a JSON web token', /\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]+/g],
  ['the key of a room', /(?<=#k=)[\w-]{16,}/g],
  [
    'the token of a resource',
    /(?<=(?:token\\*"?\s*[:=]\s*\\*"?|\/webhook\/receive\/|\/api\/me\/resources\/|\[(?:postgres|webhook)\] ))[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}/gi,
  ],
]

/** A part of a text: plain, or a secret with what it is. */
export interface TextPart {
  readonly text: string
  readonly secret: string | null
}

/** The secrets that stand in a text, by what they are. */
export function secretsIn(text: string): string[] {
  return SECRETS.flatMap(([what, pattern]) => (text.search(pattern) < 0 ? [] : [what]))
}

/** A text, cut into what may be seen and what is secret; put together again it is the same text. */
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

/** A text with each secret replaced by what it is. */
export function maskSecrets(text: string): string {
  return cutAtSecrets(text)
    .map(part => (part.secret === null ? part.text : `[${part.secret}]`))
    .join('')
}

/** Characters behind a cut that are looked at: no secret here is longer. */
const LONGEST_SECRET = 8192

/**
 * The beginning of a text, of at most so many characters. It ends before a secret that is cut: half of one
 * would not be known for what it is.
 */
export function beginningOf(text: string, mostChars: number): string {
  if (text.length <= mostChars) return text
  let at = 0
  for (const part of cutAtSecrets(text.slice(0, mostChars + LONGEST_SECRET))) {
    const end = at + part.text.length
    if (end >= mostChars) return text.slice(0, part.secret === null ? mostChars : at)
    at = end
  }
  return text.slice(0, mostChars)
}

/** The headers with secret values replaced: that one was sent stays visible, what it was does not. */
export function maskHeaders(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  let masked = headers
  for (const name of SECRET_HEADERS) {
    const value = headers[name]
    if (value === undefined) continue
    if (masked === headers) masked = { ...headers }
    masked[name] = `${scheme(String(value))}[masked]`
  }
  return masked
}

/** `Bearer ` of `Bearer abc`: the scheme is no secret and tells which kind of credential it was. */
function scheme(value: string): string {
  const space = value.indexOf(' ')
  return space > 0 && /^[A-Za-z-]+$/.test(value.slice(0, space)) ? value.slice(0, space + 1) : ''
}
