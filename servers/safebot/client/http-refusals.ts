import type { z } from 'zod'
import { defined } from '../../../shared/util/objects.js'
import { ServiceRefusal, staleClaim } from '../domain/refusals.js'
import { failed } from '../http/schemas.js'

/** Maximum number of characters that a refusal quotes from an error page. */
const MAX_QUOTED_CHARS = 200

/** Follows the advice to use another handle. */
const HANDLE_SETTING = '(SAFEBOT_MCP_HANDLE has an effect only before an identity is stored)'

/** The advice in a refusal, by the HTTP status of the answer. */
const HINT_BY_STATUS: Readonly<Record<number, string>> = {
  401:
    'the handle belongs to another key, or has signed too many requests: wait two minutes, ' +
    `or use another handle ${HANDLE_SETTING}`,
  403: 'the service does not accept this request from this client',
  404: `the service does not know this handle and has not registered it: use another handle ${HANDLE_SETTING}`,
  413: 'send the text in several messages',
}

/**
 * Converts an HTTP answer with an error status to a refusal.
 *
 * @param body the body of the answer: JSON, or a page whose first line is quoted
 * @param retryAfter the header `Retry-After`, in seconds
 * @param showsBody whether the refusal quotes the body. If not, the refusal only has the length of the body.
 *   A room URL can name any server on this machine, and must not give access to its answers.
 */
export function refusalForAnswer(
  status: number,
  body: string,
  retryAfter: string | null,
  showsBody = true,
): ServiceRefusal {
  const { error: message, cursor } = parseErrorBody(body) ?? { error: firstLine(body) }
  const error = showsBody ? message : `a body of ${Buffer.byteLength(body)} bytes, which is not shown`
  if (status === 409 && cursor !== undefined) return staleClaim(cursor)
  const seconds = Number.parseInt(retryAfter ?? '', 10)
  const later = seconds > 0 ? `try again in ${seconds} s` : 'try again later'
  const hint = HINT_BY_STATUS[status] ?? (isTemporary(status) ? later : 'the service gives no reason')
  return new ServiceRefusal(
    status,
    { error, ...defined({ cursor }) },
    hint,
    seconds > 0 ? seconds : undefined,
  )
}

/** Returns whether a retry may succeed after this HTTP status. */
export function isTemporary(status: number): boolean {
  return status === 429 || status >= 500
}

function parseErrorBody(text: string): z.infer<typeof failed> | undefined {
  try {
    return failed.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}

/**
 * Returns the first line of an error page. The other lines are often a stack trace, which a refusal does not
 * show.
 */
function firstLine(text: string): string {
  const body = /<pre>(.*?)<\/pre>/s.exec(text)?.[1] ?? text
  const [line = ''] = body
    .replace(/<br\s*\/?>/gi, '\n')
    .replace(/<[^>]*>/g, ' ')
    .trim()
    .split('\n')
  return line.trim().slice(0, MAX_QUOTED_CHARS)
}
