import type { IncomingHttpHeaders } from 'node:http'
import { isRequestLike, RpcCode } from '../../shared/mcp/messages.js'
import {
  differingHeaders,
  mismatches,
  strayParameters,
  versionMismatch,
} from '../../shared/mcp/mirrored-headers.js'
import { headerFault, type RequestFault, requestFault } from '../../shared/mcp/modern/request-fault.js'
import { metaOf, notedRevision } from '../../shared/mcp/request-meta.js'
import { ALL_REVISIONS, MetaKey } from '../../shared/mcp/revisions.js'

/**
 * Returns whether a body is of the modern era. The gateway does not check which revision the body names,
 * because the upstream decides which revisions it serves.
 */
export function isModern(body: unknown, headers: IncomingHttpHeaders): boolean {
  return ALL_REVISIONS.isModern(body, headers)
}

/** Returns the revision in the `_meta` of a message. Returns null if the message names none. */
export function revisionIn(message: unknown): string | null {
  return notedRevision(metaOf(message)?.[MetaKey.version])
}

/**
 * Checks the headers and the `_meta` of a POST. Returns an error if they are invalid or contradict the
 * messages. Returns undefined otherwise.
 *
 * The policy judges the messages. An upstream could use the headers instead, so headers and messages must
 * agree. An unknown revision is not an error here, because the upstream decides which revisions it serves.
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

/**
 * Returns the error code for a request that got no answer. The modern era does not have -32000, which the SDK
 * uses in the legacy era.
 */
export function failureCode(modern: boolean): number {
  return modern ? RpcCode.internalError : RpcCode.transport
}
