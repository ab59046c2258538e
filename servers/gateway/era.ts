import type { IncomingHttpHeaders } from 'node:http'
import { RpcCode } from '../../shared/mcp/messages.js'
import {
  differingHeaders,
  mismatches,
  strayParameters,
  versionMismatch,
} from '../../shared/mcp/mirrored-headers.js'
import {
  headerFault,
  isRequestLike,
  type RequestFault,
  requestFault,
} from '../../shared/mcp/modern/request-fault.js'
import { metaOf, notedRevision } from '../../shared/mcp/request-meta.js'
import { ALL_REVISIONS, MetaKey } from '../../shared/mcp/revisions.js'

/** Whether a body is of the modern era. The gateway serves every revision that its upstream does. */
export function isModern(body: unknown, headers: IncomingHttpHeaders): boolean {
  return ALL_REVISIONS.isModern(body, headers)
}

/** The revision that a message names in its `_meta`; null if it names none. */
export function revisionIn(message: unknown): string | null {
  return notedRevision(metaOf(message)?.[MetaKey.version])
}

/**
 * Why the messages of a POST are refused for their headers or their `_meta`; undefined if they are not.
 *
 * A policy judges the body, and the upstream may go by the headers. Whether it serves the revision is for the upstream to say.
 */
export function postFault(
  messages: readonly unknown[],
  headers: IncomingHttpHeaders,
  modern: boolean,
): RequestFault | undefined {
  const [message] = messages
  const strays = modern ? strayParameters(message, headers) : []
  if (modern && isRequestLike(message) && message.method !== 'initialize') {
    const mismatched = [versionMismatch(message, headers) ?? [], mismatches(message, headers), strays].flat()
    const fault = requestFault(message, mismatched, ALL_REVISIONS.modern)
    if (fault !== 'unsupported') return fault
    return mismatched[0] && headerFault(mismatched[0])
  }
  const [header] = messages.flatMap(one => differingHeaders(one, headers))
  if (header === undefined) return strays[0] && headerFault(strays[0])
  return {
    code: modern ? RpcCode.headerMismatch : RpcCode.invalidRequest,
    message: `the header ${header} differs from the body`,
  }
}

/** The code of the gateway's own errors for requests that got no answer. The modern era has none of the SDK's own codes. */
export function failureCode(modern: boolean): number {
  return modern ? RpcCode.internalError : RpcCode.transport
}
