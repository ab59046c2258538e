import type { z } from 'zod'
import { defined } from '../../../shared/util/defined.js'
import { ServiceRefusal, staleClaim } from '../domain/refusals.js'
import { failed } from '../http/schemas.js'

/** What an error says in which nothing of use can be found. */
const MAX_QUOTED_CHARS = 200

/** What to do about an answer, by its status. */
const HINTS: Readonly<Record<number, string>> = {
  401: 'the handle belongs to another key, or has signed too much of late: wait two minutes, or use another handle (SAFEBOT_MCP_HANDLE counts only where no identity is kept yet)',
  403: 'the service does not take this from here',
  404: 'the service does not know this handle and would not register it: use another (SAFEBOT_MCP_HANDLE counts only where no identity is kept yet)',
  413: 'send it in parts',
}

/**
 * What an HTTP answer other than 2xx means.
 *
 * @param text its body, whatever that is: pages of HTML are quoted by their first line
 * @param retryAfter its header of that name
 * @param quotes whether the body is shown. Otherwise its length is: a room URL can lead to any service of this machine,
 *   and must not become a way to read it
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

/** Whether the same request may well be answered in a moment. */
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

/** The first line of a page: behind it often stands a stack, which is nobody's business. */
function quoted(text: string): string {
  const body = /<pre>(.*?)<\/pre>/s.exec(text)?.[1] ?? text
  const [line = ''] = body
    .replace(/<br\s*\/?>/gi, '\n')
    .replace(/<[^>]*>/g, ' ')
    .trim()
    .split('\n')
  return line.trim().slice(0, MAX_QUOTED_CHARS)
}
