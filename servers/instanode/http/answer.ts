import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Refusal } from '../../../shared/errors.js'
import { sendBody } from '../../../shared/http/answers.js'
import { goJson, goStructJson } from '../../../shared/util/go-json.js'

/** The content type of JSON, in the spelling of the real service. */
export const JSON_TYPE = 'application/json; charset=utf-8'

const TEXT_TYPE = 'text/plain; charset=utf-8'

/** Tells a client to try again after 1 s while the store is unavailable. */
const RETRY_AFTER = { 'Retry-After': '1' }

/**
 * Sends JSON as most routes of the real service do: keys in alphabetical order and a line feed at the end.
 */
export function sendGoJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: OutgoingHttpHeaders = {},
): undefined {
  sendEncoded(response, status, goJson(body), headers)
}

/** Sends a string that is already JSON, and adds the line feed. */
export function sendEncoded(
  response: ServerResponse,
  status: number,
  json: string,
  headers: OutgoingHttpHeaders = {},
): undefined {
  sendBody(response, status, { 'Content-Type': JSON_TYPE, ...headers }, `${json}\n`)
}

/**
 * Sends the list of resources as the real service does: the fields keep their order, and the content type has
 * no charset.
 */
export function sendList(response: ServerResponse, items: readonly object[] | null): undefined {
  sendBody(response, 200, { 'Content-Type': 'application/json' }, `${goStructJson(items)}\n`)
}

/** Sends an error in the form of all routes except the receivers. */
export function sendFailure(
  response: ServerResponse,
  status: number,
  error: string,
  message: string,
  more: Record<string, string> = {},
): undefined {
  sendGoJson(response, status, { error, message, ok: false, ...more })
}

/**
 * Sends 503 with `Retry-After`, because the store is unavailable.
 *
 * @param body the body of the answer. Default: the body that {@link sendFailure} sends
 */
export function sendUnavailable(
  response: ServerResponse,
  { code, sentence }: Refusal,
  body: Record<string, unknown> = { error: code, message: sentence, ok: false },
): undefined {
  sendGoJson(response, 503, body, RETRY_AFTER)
}

/** Sends plain text, as Go's `http.Error` does. */
export function sendPlainText(
  response: ServerResponse,
  status: number,
  text: string,
  headers: OutgoingHttpHeaders = {},
): undefined {
  const type = { 'Content-Type': TEXT_TYPE, 'X-Content-Type-Options': 'nosniff' }
  sendBody(response, status, { ...type, ...headers }, `${text}\n`)
}

/** Sends an answer with an empty body. */
export function sendEmpty(
  response: ServerResponse,
  status: number,
  headers: OutgoingHttpHeaders = {},
): undefined {
  sendBody(response, status, headers, '')
}
