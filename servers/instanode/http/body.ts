import { isUtf8 } from 'node:buffer'

/** U+FFFD in UTF-8. */
const REPLACEMENT = Buffer.from('\u{fffd}')

/** Deepest nesting of objects and arrays that Go's JSON decoder accepts. */
const MAX_DEPTH = 10_000

const SPACE = /[ \t\r\n]*/y
const LITERAL = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y

/** One string field of a JSON body, as Go's decoder reads it. */
export interface Field {
  /** The value of the field. Empty if the field is missing or null. */
  text: string
  /**
   * True if the body is an object in which the field is a string, null or missing. Most routes of the service
   * ignore a false.
   */
  decoded: boolean
}

/**
 * Reads one string field of a JSON body as Go's decoder does. Upper and lower case of the field's name are
 * equal. The last of several fields counts. Bytes after the first JSON value are ignored.
 */
export function readField(body: Buffer, name: string): Field {
  const text = decodeLikeGo(body)
  const start = skip(SPACE, text, 0)
  const end = valueEnd(text, start)
  if (end === undefined || !isJsonText(text.slice(start, end))) return { text: '', decoded: false }
  if (text.slice(start, end) === 'null') return { text: '', decoded: true }
  if (text[start] !== '{') return { text: '', decoded: false }
  const field: Field = { text: '', decoded: true }
  // Unicode case folding, as in Go: a Kelvin sign is a k.
  const fieldName = new RegExp(`^${name}$`, 'iu')
  for (const { key, value } of members(text, start)) {
    if (!fieldName.test(key)) continue
    const parsedValue: unknown = JSON.parse(value)
    if (typeof parsedValue === 'string') field.text = parsedValue
    else if (parsedValue !== null) field.decoded = false
  }
  return field
}

/** Yields the members of the JSON object at position `at`. The text must be valid JSON. */
function* members(text: string, at: number): Generator<{ key: string; value: string }> {
  let from = skip(SPACE, text, at + 1)
  while (text[from] === '"') {
    const keyEnd = stringEnd(text, from) ?? text.length
    const key = String(JSON.parse(text.slice(from, keyEnd)))
    const valueStart = skip(SPACE, text, skip(SPACE, text, keyEnd) + 1)
    const end = valueEnd(text, valueStart) ?? text.length
    yield { key, value: text.slice(valueStart, end) }
    // This is the position after the comma or after the closing brace.
    from = skip(SPACE, text, skip(SPACE, text, end) + 1)
    if (text[skip(SPACE, text, end)] !== ',') return
  }
}

/**
 * Returns the position after the JSON value at `at`. Counts brackets and does not check the rest of the
 * syntax. Undefined if the value has no end.
 */
function valueEnd(text: string, at: number): number | undefined {
  if (text[at] === '"') return stringEnd(text, at)
  if (text[at] !== '{' && text[at] !== '[') {
    const end = skip(LITERAL, text, at)
    return end > at ? end : undefined
  }
  let depth = 0
  for (let from = at; from < text.length; from++) {
    const char = text[from]
    if (char === '"') {
      const end = stringEnd(text, from)
      if (end === undefined) return undefined
      from = end - 1
    } else if (char === '{' || char === '[') {
      if (++depth > MAX_DEPTH) return undefined
    } else if ((char === '}' || char === ']') && --depth === 0) return from + 1
  }
  return undefined
}

/**
 * Returns the position after the JSON string at `at`. A loop, because a regular expression would overflow its
 * stack on a long string.
 */
function stringEnd(text: string, at: number): number | undefined {
  for (let from = at + 1; from < text.length; from++) {
    if (text[from] === '"') return from + 1
    if (text[from] === '\\') from++
  }
  return undefined
}

/**
 * Returns the position after the match of a sticky pattern at `at`, or `at` if the pattern does not match
 * there.
 */
function skip(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at
  return pattern.test(text) ? pattern.lastIndex : at
}

/**
 * Decodes UTF-8 as Go does: each invalid byte becomes one U+FFFD. Node.js replaces several invalid bytes by
 * one U+FFFD, so a name could have another length.
 */
export function decodeLikeGo(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString('utf8')
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const size = characterSize(bytes, at)
    pieces.push(size === 0 ? REPLACEMENT : bytes.subarray(at, at + size))
    at += Math.max(1, size)
  }
  return Buffer.concat(pieces).toString('utf8')
}

/** Returns the number of bytes of the UTF-8 character at `at`. 0 if no character begins there. */
function characterSize(bytes: Buffer, at: number): number {
  for (let size = 1; size <= 4 && at + size <= bytes.length; size++) {
    if (isUtf8(bytes.subarray(at, at + size))) return size
  }
  return 0
}

/** Returns whether a text is one JSON value. */
export function isJsonText(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
