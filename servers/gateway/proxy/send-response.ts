import type { ServerResponse } from 'node:http'
import type { AnswerHeaders, UpstreamAnswer } from './http-upstream.js'

/**
 * Headers of an upstream's answer that are passed to the caller. Cookies, and headers about a connection or
 * encoding, are not passed.
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

/** Maximum number of characters that an error quotes from a body. */
const SHOWN_CHARS = 200

/** The headers of an event stream. */
export const STREAM = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
} as const

/** Returns a message as an event. */
export function framed(message: object): string {
  return `event: message\ndata: ${JSON.stringify(message)}\n\n`
}

/** Sends a JSON answer. */
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
  // The body is sent as a string, because Node sends a string together with the headers.
  response.end(json)
}

/** Returns whether the upstream answers with an event stream. */
export function isEventStream({ headers }: UpstreamAnswer): boolean {
  return /^text\/event-stream\s*(;|$)/i.test(String(headers['content-type'] ?? ''))
}

/** Returns `: ` and the beginning of a body on one line. Returns an empty text for an empty body. */
export function excerpt(text: string): string {
  const short = text.replace(/\s+/g, ' ').trim().slice(0, SHOWN_CHARS)
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
