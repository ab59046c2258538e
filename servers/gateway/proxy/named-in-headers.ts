import type { IncomingHttpHeaders } from 'node:http'
import { invalidRequest } from '../../../shared/mcp/http/rejection.js'
import { isObject } from '../../../shared/util/is-object.js'
import type { ReadableBody } from '../messages.js'

/**
 * Revision 2026-07-28 names method and tool in headers, too, and an upstream may go by those.
 *
 * @throws HttpRejection 400 if they say something else than the body, which is what the policy judges
 */
export function requireSameNames(headers: IncomingHttpHeaders, { messages, batch }: ReadableBody): void {
  const { 'mcp-method': method, 'mcp-name': name } = headers
  if (method === undefined && name === undefined) return
  const [message] = messages
  const body = !batch && isObject(message) ? message : {}
  if (method !== undefined && method !== body.method) {
    throw invalidRequest('the header Mcp-Method differs from the method in the body')
  }
  const params = isObject(body.params) ? body.params : {}
  if (name !== undefined && name !== (params.name ?? params.uri)) {
    throw invalidRequest('the header Mcp-Name differs from the name in the body')
  }
}
