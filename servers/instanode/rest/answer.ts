import type { ServerResponse } from 'node:http'
import { goJson } from '../../../shared/go-json.js'

/** As the service writes it. */
const JSON_TYPE = 'application/json; charset=utf-8'

/** Sends a JSON answer, with the line feed that the service ends it with. */
export function answer(
  response: ServerResponse,
  status: number,
  body: Record<string, unknown>,
  headers: Record<string, string> = {},
): void {
  send(response, status, goJson(body), headers)
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
