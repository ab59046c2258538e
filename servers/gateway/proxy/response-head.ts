import type { IncomingHttpHeaders } from 'node:http'

/** The head of an HTTP/1.1 answer. */
export interface AnswerHead {
  status: number
  headers: IncomingHttpHeaders
  /** How the end of the body is told. */
  framing: Framing
  /** Whether the connection may be used again. */
  keepAlive: boolean
}

export type Framing = { by: 'length'; length: number } | { by: 'chunks' } | { by: 'close' }

const STATUS_LINE = /^HTTP\/1\.([01]) (\d{3})(?: |$)/

/** Characters of a header name (RFC 9110, section 5.6.2). */
const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

/** What a header may be passed on with: no control characters. */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

/**
 * Reads a head, without the blank line behind it.
 *
 * @returns undefined for what is no HTTP, or leaves in doubt where the body ends
 */
export function readHead(text: string): AnswerHead | undefined {
  const [first = '', ...lines] = text.split('\r\n')
  const [, minor, digits] = STATUS_LINE.exec(first) ?? []
  if (digits === undefined) return undefined
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, Math.max(colon, 0))
    const value = line.slice(colon + 1).trim()
    if (!NAME.test(name) || !VALUE.test(value)) return undefined
    const key = name.toLowerCase()
    const before = headers[key]
    if (before !== undefined && key === 'content-length' && before !== value) return undefined
    headers[key] = before === undefined || key === 'content-length' ? value : `${before}, ${value}`
  }
  const status = Number(digits)
  // Nobody has asked for another protocol.
  if (status < 100 || status === 101) return undefined
  const framing = framingOf(status, headers)
  if (framing === undefined) return undefined
  const connection = (headers.connection ?? '').toLowerCase()
  const keepAlive = framing.by !== 'close' && minor === '1' && !connection.includes('close')
  return { status, headers, framing, keepAlive }
}

function framingOf(status: number, headers: Record<string, string>): Framing | undefined {
  if (status === 204 || status === 304) return { by: 'length', length: 0 }
  const { 'transfer-encoding': encoding, 'content-length': length } = headers
  if (encoding !== undefined) return encoding.toLowerCase() === 'chunked' ? { by: 'chunks' } : undefined
  if (length === undefined) return { by: 'close' }
  return /^\d{1,15}$/.test(length) ? { by: 'length', length: Number(length) } : undefined
}
