import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Refusal } from '../../../shared/errors.js'
import { sendBody } from '../../../shared/http/answers.js'
import { goJson, goStructJson } from '../../../shared/util/go-json.js'

/** The content type in the service's spelling. */
export const JSON_TYPE = 'application/json; charset=utf-8'

const TEXT_TYPE = 'text/plain; charset=utf-8'

/** Seconds before a retry, while the store is unavailable. */
const RETRY_AFTER = { 'Retry-After': '1' }

/** Sends JSON in the form of nearly every route: keys in alphabetical order, a line feed at the end. */
export function sendGoJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: OutgoingHttpHeaders = {},
): undefined {
  sendEncoded(response, status, goJson(body), headers)
}

/** Sends text that is already JSON. */
export function sendEncoded(
  response: ServerResponse,
  status: number,
  json: string,
  headers: OutgoingHttpHeaders = {},
): undefined {
  sendBody(response, status, { 'Content-Type': JSON_TYPE, ...headers }, `${json}\n`)
}

/** Sends the one answer that is a list. Its fields keep their order, and the type has no charset. */
export function sendList(response: ServerResponse, items: readonly object[] | null): undefined {
  sendBody(response, 200, { 'Content-Type': 'application/json' }, `${goStructJson(items)}\n`)
}

/** Sends an error in the form of all routes except those of receivers. */
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
 * Answers that the store is unavailable and that the request may be repeated. @param body default: as {@link
 * sendFailure}
 */
export function sendUnavailable(
  response: ServerResponse,
  { code, sentence }: Refusal,
  body: Record<string, unknown> = { error: code, message: sentence, ok: false },
): undefined {
  sendGoJson(response, 503, body, RETRY_AFTER)
}

/** Sends a text, as the service does outside of its API. */
export function sendPlainText(
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
