import type { ServerResponse } from 'node:http'
import type { AnswerHeaders, UpstreamAnswer } from './http-upstream.js'

/**
 * The headers of the upstream's answer that the caller gets. Cookies are not passed on. Headers about the
 * connection or the encoding are not passed on either.
 */
const PASSED = [
  'mcp-session-id',
  'mcp-protocol-version',
  'retry-after',
  'allow',
  'traceresponse',
  'x-understudy-instance',
  'x-understudy-entry',
] as const

/** Maximum number of characters of a body that an error quotes. */
const MAX_QUOTED_CHARS = 200

/** The headers of an event stream. */
export const STREAM = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
} as const

/** Formats a message as a server-sent event. */
export function messageEvent(message: object): string {
  return `event: message\ndata: ${JSON.stringify(message)}\n\n`
}

export function sendJson(
  response: ServerResponse,
  status: number,
  headers: Record<string, string>,
  json: string,
): void {
  response.writeHead(status, {
    ...headers,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(json),
  })
  // The body is a string, because Node writes a string together with the headers, and a buffer separately.
  response.end(json)
}

/** Returns whether an answer is an event stream. */
export function isEventStream({ headers }: UpstreamAnswer): boolean {
  return /^text\/event-stream\s*(;|$)/i.test(String(headers['content-type'] ?? ''))
}

/** Returns `: ` and the beginning of a body as one line, to end an error message. Empty for an empty body. */
export function excerpt(text: string): string {
  const short = text.replace(/\s+/g, ' ').trim().slice(0, MAX_QUOTED_CHARS)
  return short === '' ? '' : `: ${short}`
}

export function passedHeaders(headers: AnswerHeaders): Record<string, string> {
  const passed: Record<string, string> = {}
  for (const name of PASSED) {
    const value = headers[name]
    if (value !== undefined) passed[name] = String(value)
  }
  return passed
}
