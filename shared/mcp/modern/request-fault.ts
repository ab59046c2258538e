import { type RequestLike, RpcCode } from '../messages.js'
import { type Mismatch, VERSION_HEADER } from '../mirrored-headers.js'
import { metaFault, metaOf, versionFault } from '../request-meta.js'
import { MetaKey } from '../revisions.js'

/** Code and message of the error that refuses a request. */
export interface RequestFault {
  code: number
  message: string
}

/**
 * Returns the error for the first rule of the modern era that a request breaks. The rules are the same for
 * every method.
 *
 * @param mismatched the headers that differ from the body, `MCP-Protocol-Version` first
 * @param revisions the modern revisions that are served
 * @returns `unsupported` for a well-formed version that is not served. Undefined for a request that breaks no rule
 */
export function requestFault(
  { params }: RequestLike,
  mismatched: readonly Mismatch[],
  revisions: readonly string[],
): RequestFault | 'unsupported' | undefined {
  const invalid = (message: string) => ({ code: RpcCode.invalidParams, message })
  const malformedVersion = versionFault(params)
  if (malformedVersion !== undefined) return invalid(malformedVersion)
  const [first] = mismatched
  if (first?.header === VERSION_HEADER) return headerFault(first)
  const meta = metaOf({ params }) ?? {}
  const version = meta[MetaKey.version]
  if (typeof version !== 'string' || !revisions.includes(version)) return 'unsupported'
  const wrongMeta = metaFault(meta)
  if (wrongMeta !== undefined) return invalid(wrongMeta)
  return first === undefined ? undefined : headerFault(first)
}

/** Returns the error for a header that differs from the body. */
export function headerFault({ why }: Mismatch): RequestFault {
  return { code: RpcCode.headerMismatch, message: why }
}
