import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'

/** Answers must not be cached, because they show the current state. */
const HEADERS = { 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' }

/**
 * Sends a body with its length and the given headers. Express's `send` would add a charset to the content
 * type.
 */
export function sendBody(
  response: ServerResponse,
  status: number,
  headers: OutgoingHttpHeaders,
  body: string,
): undefined {
  response.writeHead(status, { 'Content-Length': Buffer.byteLength(body), ...headers })
  response.end(body)
}

/** Sends a text that must not be cached. @param type media type of the text */
export function sendText(response: ServerResponse, status: number, type: string, body: string): undefined {
  sendBody(response, status, { 'Content-Type': type, ...HEADERS }, body)
}

/** Sends a value as JSON that must not be cached. */
export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: OutgoingHttpHeaders = {},
): undefined {
  const type = 'application/json; charset=utf-8'
  sendBody(response, status, { 'Content-Type': type, ...HEADERS, ...headers }, `${JSON.stringify(body)}\n`)
}
