import type { ServerResponse } from 'node:http'
import type { AnswerHeaders, UpstreamAnswer } from './http-upstream.js'

/** Headers of the upstream that pass to a caller. Cookies, and headers of one connection or encoding, do not. */
const PASSED = [
  'mcp-session-id',
  'mcp-protocol-version',
  'retry-after',
  'allow',
  'traceresponse',
  'x-understudy-instance',
  'x-understudy-entry',
] as const

/** Characters of an unreadable body that its error quotes. */
const SHOWN_CHARS = 200

/** The headers of a stream of events. */
export const STREAM = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
} as const

/** A message as an event. */
export function framed(message: object): string {
  return `event: message\ndata: ${JSON.stringify(message)}\n\n`
}

/** Answers in one body. */
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
  // As text: Node sends that in one piece with the head.
  response.end(json)
}

/** Whether the upstream answers with a stream of events. */
export function isEventStream({ headers }: UpstreamAnswer): boolean {
  return /^text\/event-stream\s*(;|$)/i.test(String(headers['content-type'] ?? ''))
}

/** `: ` and the beginning of a body, on one line; empty if the body is. */
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
