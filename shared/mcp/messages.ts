import {
  ErrorCode,
  type JSONRPCErrorResponse,
  type JSONRPCNotification,
  type JSONRPCRequest,
  type JSONRPCResultResponse,
  type RequestId,
} from '@modelcontextprotocol/sdk/types.js'
import { isObject } from '../util/objects.js'
import type { Revisions } from './revisions.js'

/** The revision that a server must assume if a request names none (specification 2025-06-18 and later). */
const ASSUMED_REVISION = '2025-03-26'

/** The first revision without batches. Revision 2025-03-26 had batches. */
const FIRST_WITHOUT_BATCHES = '2025-06-18'

/** Maximum number of messages in a batch. The SDK has the same limit. */
const MAX_BATCH = 100

/**
 * Returns the reason why a legacy revision is refused. Returns undefined if the revision is served, or if
 * none is named.
 */
export function versionRefusal(
  version: string | undefined,
  { legacy, served }: Revisions,
): string | undefined {
  if (version === undefined || legacy.includes(version)) return undefined
  const supported = served.join(', ')
  return `Unsupported protocol version ${JSON.stringify(version)} (supported versions: ${supported})`
}

/**
 * Returns the reason why a batch is refused. Returns undefined if the batch is allowed.
 *
 * @param size number of messages in the batch
 * @param version the revision of the session, or the one that the caller names. Revisions are dates, so
 *   they can be compared as text
 */
export function batchRefusal(size: number, version = ASSUMED_REVISION): string | undefined {
  if (version >= FIRST_WITHOUT_BATCHES) {
    return `protocol revision ${version} has no batches: send one message at a time`
  }
  if (size === 0) return 'the batch is empty'
  return size > MAX_BATCH ? `the batch has ${size} messages: send at most ${MAX_BATCH}` : undefined
}

export type JsonRpcResponse = JSONRPCResultResponse | JSONRPCErrorResponse

/** The JSON-RPC and MCP error codes in the answers of this project. */
export const RpcCode = {
  parseError: ErrorCode.ParseError,
  invalidRequest: ErrorCode.InvalidRequest,
  methodNotFound: ErrorCode.MethodNotFound,
  invalidParams: ErrorCode.InvalidParams,
  internalError: ErrorCode.InternalError,
  /** The SDK's code for a request that a transport of the SDK refuses. */
  transport: -32000,
  /** The SDK's code for a session that does not exist or has ended. */
  sessionNotFound: -32001,
  /** Defined in 2026-07-28: a header is missing, cannot be read, or differs from the body. */
  headerMismatch: -32020,
  /** Defined in 2026-07-28: the client has not declared a capability that its request needs. */
  missingCapability: -32021,
  /** Defined in 2026-07-28: the server does not serve the revision that the request names. */
  unsupportedVersion: -32022,
} as const

/** An error without a request id, because the id could not be read (JSON-RPC 2.0, section 5). */
export interface AnonymousError {
  jsonrpc: '2.0'
  error: { code: number; message: string }
  id: null
}

/** Returns an error of the legacy era, in which an unknown id is null. */
export function anonymousError(code: number, message: string): AnonymousError {
  return { jsonrpc: '2.0', error: { code, message }, id: null }
}

export function errorResponse(
  id: RequestId,
  code: number,
  message: string,
  data?: unknown,
): JSONRPCErrorResponse {
  return { jsonrpc: '2.0', id, error: data === undefined ? { code, message } : { code, message, data } }
}

/** Returns an error of the modern era, which has no null id. An unknown id is left out. */
export function modernError(
  id: RequestId | undefined,
  error: JSONRPCErrorResponse['error'],
): JSONRPCErrorResponse {
  return id === undefined ? { jsonrpc: '2.0', error } : { jsonrpc: '2.0', id, error }
}

export function isRequestId(value: unknown): value is RequestId {
  return typeof value === 'string' || Number.isSafeInteger(value)
}

/** Returns the id of a message. Returns undefined if the message has no valid id. */
export function requestIdOf(message: unknown): RequestId | undefined {
  return isObject(message) && isRequestId(message.id) ? message.id : undefined
}

/** Returns whether a value is allowed as `params`. */
function isValidParams(value: unknown): boolean {
  return value === undefined || (isObject(value) && isValidMeta(value._meta))
}

function isValidMeta(value: unknown): boolean {
  if (value === undefined) return true
  return isObject(value) && (value.progressToken === undefined || isRequestId(value.progressToken))
}

const REQUEST_KEYS = ['jsonrpc', 'id', 'method', 'params']

/** Returns whether each member of a message has one of these names. */
export function hasOnly(message: object, keys: readonly string[]): boolean {
  for (const key in message) if (!keys.includes(key)) return false
  return true
}

/** A JSON-RPC request whose `params` have not been checked. */
export interface RequestLike {
  id: RequestId
  method: string
  params?: unknown
}

export function isRequestLike(message: unknown): message is RequestLike {
  return (
    isObject(message) &&
    message.jsonrpc === '2.0' &&
    typeof message.method === 'string' &&
    isRequestId(message.id) &&
    hasOnly(message, REQUEST_KEYS)
  )
}

export function isRequest(message: unknown): message is JSONRPCRequest {
  return isRequestLike(message) && isValidParams(message.params)
}

export function isNotification(message: unknown): message is JSONRPCNotification {
  return (
    isObject(message) &&
    message.jsonrpc === '2.0' &&
    typeof message.method === 'string' &&
    !('id' in message) &&
    isValidParams(message.params)
  )
}

export function isResponse(message: unknown): message is JsonRpcResponse {
  return (
    isObject(message) &&
    message.jsonrpc === '2.0' &&
    isRequestId(message.id) &&
    (isObject(message.result) || isObject(message.error))
  )
}

/**
 * Returns whether a message gets an answer. Requests and invalid messages get an answer. Notifications and
 * responses get none.
 */
export function expectsAnswer(message: unknown): boolean {
  return !isNotification(message) && !isResponse(message)
}

/**
 * Members of a modern result that forbid clients to cache a list. A list can change at any time and can
 * differ between callers.
 */
export const NOT_CACHED = { ttlMs: 0, cacheScope: 'private' }
