import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Refusal } from '../../../shared/errors.js'
import { sendBody } from '../../../shared/http/answers.js'
import { goJson, goStructJson } from '../../../shared/util/go-json.js'

/** As the service writes it. */
export const JSON_TYPE = 'application/json; charset=utf-8'

const TEXT_TYPE = 'text/plain; charset=utf-8'

/** In seconds: how long a caller waits while the store is away. */
const RETRY_AFTER = { 'Retry-After': '1' }

/** Sends JSON as nearly every route does: keys in alphabetical order, a line feed at the end. */
export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: OutgoingHttpHeaders = {},
): undefined {
  sendEncoded(response, status, goJson(body), headers)
}

/** Sends JSON that is written already. */
export function sendEncoded(
  response: ServerResponse,
  status: number,
  json: string,
  headers: OutgoingHttpHeaders = {},
): undefined {
  sendBody(response, status, { 'Content-Type': JSON_TYPE, ...headers }, `${json}\n`)
}

/** Sends the one answer that is a list: fields in the order given, and no charset. */
export function sendList(response: ServerResponse, items: readonly object[] | null): undefined {
  sendBody(response, 200, { 'Content-Type': 'application/json' }, `${goStructJson(items)}\n`)
}

/** Sends an error in the form that all but the receivers have. */
export function sendFailure(
  response: ServerResponse,
  status: number,
  error: string,
  message: string,
  more: Record<string, string> = {},
): undefined {
  sendJson(response, status, { error, message, ok: false, ...more })
}

/** Says that the store is away, and that the same request may be made again. @param body default: as {@link sendFailure} */
export function sendUnavailable(
  response: ServerResponse,
  { code, sentence }: Refusal,
  body: Record<string, unknown> = { error: code, message: sentence, ok: false },
): undefined {
  sendJson(response, 503, body, RETRY_AFTER)
}

/** Sends a text, as the service does where it has no API. */
export function sendText(
  response: ServerResponse,
  status: number,
  text: string,
  headers: OutgoingHttpHeaders = {},
): undefined {
  const type = { 'Content-Type': TEXT_TYPE, 'X-Content-Type-Options': 'nosniff' }
  sendBody(response, status, { ...type, ...headers }, `${text}\n`)
}

/** Sends an answer without a body. */
export function sendEmpty(
  response: ServerResponse,
  status: number,
  headers: OutgoingHttpHeaders = {},
): undefined {
  sendBody(response, status, headers, '')
}
