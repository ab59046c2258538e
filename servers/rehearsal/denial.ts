import { isObject } from '../../shared/util/objects.js'
import { cut } from '../../shared/util/shown.js'
import type { Answer } from './via/caller.js'

/** The HTTP statuses that count as a denial. Any other error status is a failure, and no denial. */
const DENYING_STATUSES = [401, 403, 429]

/** Maximum length of the text of a denial in the report, in characters. */
const MAX_TEXT_CHARS = 200

/** The way in which a gateway denied a call. */
export interface Denial {
  readonly form: 'tool_error' | 'rpc_error' | 'http_error' | 'input_required'
  /** The HTTP status if it is 400 or higher. Null for a lower status, and on pipes. */
  readonly status: number | null
  /** The code of the JSON-RPC error. Null if `form` is not `rpc_error`. */
  readonly code: number | null
  /** The text of the answer, shortened. */
  readonly text: string
}

/**
 * Finds the denial in an answer.
 *
 * An error from the upstream has the same form as a denial. To tell them apart, look in the journal: a denied
 * call did not reach the upstream.
 *
 * @returns the denial, or undefined if the answer has none of the forms of {@link Denial}
 */
export function denialIn(answer: Answer): Denial | undefined {
  if (answer.kind === 'nothing') return undefined
  const status = answer.status !== undefined && answer.status >= 400 ? answer.status : null
  if (answer.kind === 'http') {
    if (!DENYING_STATUSES.includes(answer.status)) return undefined
    return { form: 'http_error', status, code: null, text: shortened(answer.text) }
  }
  const { error, result } = answer.message
  if (isObject(error)) {
    const code = typeof error.code === 'number' ? error.code : null
    return { form: 'rpc_error', status, code, text: shortened(String(error.message ?? '')) }
  }
  if (!isObject(result)) return undefined
  if (result.isError === true) return { form: 'tool_error', status, code: null, text: contentText(result) }
  if (result.resultType !== 'input_required') return undefined
  const { inputRequests } = result
  return { form: 'input_required', status, code: null, text: shortened(requestText(inputRequests)) }
}

/** Describes the form of a denial, e.g. `JSON-RPC error 403 with HTTP 403`. */
export function formOf({ form, status, code }: Denial): string {
  if (form === 'http_error') return `HTTP ${status}`
  const names = { tool_error: 'a tool error', rpc_error: `JSON-RPC error ${code}`, input_required: form }
  return status === null ? names[form] : `${names[form]} with HTTP ${status}`
}

/** Returns the end of a sentence that quotes the text of a denial. Empty for a denial without a text. */
export function denialText({ text }: Denial): string {
  return text === '' ? '' : `, which says ${JSON.stringify(text)}`
}

function contentText({ content }: Record<string, unknown>): string {
  const blocks = Array.isArray(content) ? content.filter(isObject) : []
  return shortened(blocks.flatMap(({ text }) => (typeof text === 'string' ? [text] : [])).join(' '))
}

/**
 * Returns the messages in the `inputRequests` of a result. If they have no messages, returns the requests as
 * JSON.
 */
function requestText(requests: unknown): string {
  const all = isObject(requests) ? Object.values(requests) : []
  const messages = all.flatMap(request => {
    const params = isObject(request) && isObject(request.params) ? request.params : request
    return isObject(params) && typeof params.message === 'string' ? [params.message] : []
  })
  return messages.length > 0 ? messages.join(' ') : JSON.stringify(requests ?? {})
}

function shortened(text: string): string {
  return cut(text.trim().replace(/\s+/g, ' '), MAX_TEXT_CHARS)
}
