import type { HttpCall } from '../../../shared/http/http-call.js'
import type { HttpAnswer } from '../../../shared/http/routes.js'
import { emptyAnswer, textAnswer } from './answer.js'

/** Answers where no route is, as Go's router does: it has a page for every GET, and says 405 to the rest. */
export function unrouted({ method, path }: HttpCall, methods: readonly string[]): HttpAnswer {
  if (method === 'OPTIONS') return emptyAnswer(200)
  if (!isEncoded(path)) return textAnswer(400, '400 Bad Request')
  if (method === 'GET' || method === 'HEAD') return textAnswer(404, '404 page not found')
  const allowed = [...new Set(['GET', 'HEAD', ...methods])].sort()
  return textAnswer(405, 'Method Not Allowed', { Allow: allowed.join(', ') })
}

/** Whether what is percent-encoded in a path is so in full. */
function isEncoded(path: string): boolean {
  try {
    decodeURIComponent(path)
    return true
  } catch {
    return false
  }
}
