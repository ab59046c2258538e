import type { IncomingHttpHeaders } from 'node:http'

export interface Accepted {
  json: boolean
  sse: boolean
}

/** Which of the two answer forms the caller takes; no Accept header takes both. */
export function accepted({ accept }: IncomingHttpHeaders): Accepted {
  if (accept === undefined || accept.includes('*/*')) return { json: true, sse: true }
  return {
    json: accept.includes('application/json') || accept.includes('application/*'),
    sse: accept.includes('text/event-stream') || accept.includes('text/*'),
  }
}

export function isJson(headers: IncomingHttpHeaders): boolean {
  return /^application\/json\s*(;|$)/i.test(headers['content-type'] ?? '')
}
