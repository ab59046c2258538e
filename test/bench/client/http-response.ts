const HEAD_END = '\r\n\r\n'
const LINE_END = '\r\n'

export interface HttpResponse {
  status: number
  /** Header lines as sent. */
  head: string
  body: string
}

/** A response that has come in whole, and what of the bytes it took. */
interface Taken {
  response: HttpResponse
  bytes: number
}

/**
 * Reads one HTTP/1.1 response from the beginning of `bytes`: by content length, or chunked.
 *
 * Written for few instructions rather than for every server: it has to outrun what it measures.
 *
 * @returns undefined while it has not come in whole
 */
export function takeResponse(bytes: Buffer): Taken | undefined {
  const headEnd = bytes.indexOf(HEAD_END)
  if (headEnd < 0) return undefined
  const head = bytes.toString('latin1', 0, headEnd)
  const status = Number(head.slice(9, 12))
  const bodyStart = headEnd + HEAD_END.length
  const length = header(head, 'content-length')
  if (length !== undefined) {
    const end = bodyStart + Number(length)
    if (bytes.length < end) return undefined
    return { response: { status, head, body: bytes.toString('utf8', bodyStart, end) }, bytes: end }
  }
  if (header(head, 'transfer-encoding') === 'chunked') return takeChunked(bytes, bodyStart, status, head)
  return { response: { status, head, body: '' }, bytes: bodyStart }
}

/** The value of a header, by its lower-case name. */
export function header(head: string, name: string): string | undefined {
  for (const line of head.split(LINE_END)) {
    const colon = line.indexOf(':')
    if (colon === name.length && line.slice(0, colon).toLowerCase() === name)
      return line.slice(colon + 1).trim()
  }
  return undefined
}

function takeChunked(bytes: Buffer, bodyStart: number, status: number, head: string): Taken | undefined {
  let body = ''
  for (let at = bodyStart; ; ) {
    const sizeEnd = bytes.indexOf(LINE_END, at)
    if (sizeEnd < 0) return undefined
    const size = Number.parseInt(bytes.toString('latin1', at, sizeEnd), 16)
    const start = sizeEnd + LINE_END.length
    const end = start + size + LINE_END.length
    if (bytes.length < end) return undefined
    if (size === 0) return { response: { status, head, body }, bytes: end }
    body += bytes.toString('utf8', start, start + size)
    at = end
  }
}
