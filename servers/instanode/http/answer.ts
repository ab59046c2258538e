import type { Refusal } from '../../../shared/errors.js'
import type { HttpAnswer } from '../../../shared/http/routes.js'
import { goJson, goStructJson } from '../../../shared/util/go-json.js'

/** As the service writes it. */
export const JSON_TYPE = 'application/json; charset=utf-8'

const TEXT_TYPE = 'text/plain; charset=utf-8'

/** An answer as nearly every route gives it: keys in alphabetical order, a line feed at the end. */
export function answer(
  status: number,
  body: Record<string, unknown>,
  headers: Record<string, string> = {},
): HttpAnswer {
  return encoded(status, goJson(body), headers)
}

/** The same, of JSON that is written already. */
export function encoded(status: number, json: string, headers: Record<string, string> = {}): HttpAnswer {
  return { status, headers: { 'Content-Type': JSON_TYPE, ...headers }, body: `${json}\n` }
}

/** The one answer that is a list: fields in the order given, and no charset. */
export function listAnswer(items: readonly object[] | null): HttpAnswer {
  return {
    status: 200,
    headers: { 'Content-Type': 'application/json' },
    body: `${goStructJson(items)}\n`,
  }
}

/** An error in the form that all but the receivers have. */
export function failure(
  status: number,
  error: string,
  message: string,
  more: Record<string, string> = {},
): HttpAnswer {
  return answer(status, { error, message, ok: false, ...more })
}

/** How long who was told that the store is away is asked to wait, in seconds. */
const RETRY_AFTER = { 'Retry-After': '1' }

/**
 * The store is away: the same request may be made again. The body is in the form of {@link failure}, if no
 * other is given.
 */
export function unavailable(
  { code, sentence }: Refusal,
  body: Record<string, unknown> = { error: code, message: sentence, ok: false },
): HttpAnswer {
  return answer(503, body, RETRY_AFTER)
}

/** An answer in words: where nothing of the API is. */
export function textAnswer(status: number, text: string, headers: Record<string, string> = {}): HttpAnswer {
  return {
    status,
    headers: { 'Content-Type': TEXT_TYPE, 'X-Content-Type-Options': 'nosniff', ...headers },
    body: `${text}\n`,
  }
}

export function emptyAnswer(status: number, headers: Record<string, string> = {}): HttpAnswer {
  return { status, headers, body: '' }
}
