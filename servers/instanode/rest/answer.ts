import type { ServerResponse } from 'node:http'

/** As the service writes it. */
const JSON_TYPE = 'application/json; charset=utf-8'

/** Go's encoder writes these three escaped, so that its JSON may stand in a page. */
const ESCAPED: Readonly<Record<string, string>> = { '<': '\\u003c', '>': '\\u003e', '&': '\\u0026' }

/** A value as the service's JSON: keys in alphabetical order, three characters escaped. */
export function encode(value: unknown): string {
  return JSON.stringify(value, alphabetical).replace(/[<>&]/g, character => ESCAPED[character] ?? character)
}

/** Sends a JSON answer, with the line feed that the service ends it with. */
export function answer(
  response: ServerResponse,
  status: number,
  body: Record<string, unknown>,
  headers: Record<string, string> = {},
): void {
  send(response, status, encode(body), headers)
}

/** Sends a JSON answer that is encoded already. */
export function send(
  response: ServerResponse,
  status: number,
  json: string,
  headers: Record<string, string> = {},
): void {
  const body = `${json}\n`
  response.writeHead(status, {
    'Content-Type': JSON_TYPE,
    'Content-Length': Buffer.byteLength(body),
    ...headers,
  })
  response.end(body)
}

/** Sends a JSON answer piece by piece: the log of a receiver can be longer than any one string. */
export function startJson(response: ServerResponse): void {
  response.writeHead(200, { 'Content-Type': JSON_TYPE })
}

function alphabetical(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}
