import type { z } from 'zod'
import { defined } from '../../../shared/util/defined.js'
import { ServiceRefusal, staleClaim } from '../domain/refusals.js'
import { failed } from '../http/schemas.js'

/** Characters of an error body that are quoted if it has no message. */
const MAX_QUOTED_CHARS = 200

/** The remedy for an answer, by its status. */
const HINTS: Readonly<Record<number, string>> = {
  401: 'the handle belongs to another key, or has signed too much of late: wait two minutes, or use another handle (SAFEBOT_MCP_HANDLE counts only where no identity is kept yet)',
  403: 'the service does not take this from here',
  404: 'the service does not know this handle and would not register it: use another (SAFEBOT_MCP_HANDLE counts only where no identity is kept yet)',
  413: 'send it in parts',
}

/**
 * Returns the refusal for an HTTP answer other than 2xx.
 *
 * @param text the body. An HTML page is quoted by its first line.
 * @param retryAfter the header of that name
 * @param quotes whether the body is shown. Otherwise its length is shown: a room URL can name any service of
 *   this
 *   machine, and must not be a way to read that service.
 */
export function refusedBy(
  status: number,
  text: string,
  retryAfter: string | null,
  quotes = true,
): ServiceRefusal {
  const { error: said, cursor } = bodyOf(text) ?? { error: quoted(text) }
  const error = quotes ? said : `a body of ${Buffer.byteLength(text)} bytes, which is not shown`
  if (status === 409 && cursor !== undefined) return staleClaim(cursor)
  const seconds = Number.parseInt(retryAfter ?? '', 10)
  const later = seconds > 0 ? `try again in ${seconds} s` : 'try again later'
  const hint = HINTS[status] ?? (isPassing(status) ? later : 'the service says no more')
  return new ServiceRefusal(
    status,
    { error, ...defined({ cursor }) },
    hint,
    seconds > 0 ? seconds : undefined,
  )
}

/** Returns whether a retry may succeed soon. */
export function isPassing(status: number): boolean {
  return status === 429 || status >= 500
}

function bodyOf(text: string): z.infer<typeof failed> | undefined {
  try {
    return failed.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}

/** Returns the first line of an error page. A stack trace often follows it, and is not shown. */
function quoted(text: string): string {
  const body = /<pre>(.*?)<\/pre>/s.exec(text)?.[1] ?? text
  const [line = ''] = body
    .replace(/<br\s*\/?>/gi, '\n')
    .replace(/<[^>]*>/g, ' ')
    .trim()
    .split('\n')
  return line.trim().slice(0, MAX_QUOTED_CHARS)
}
