import {
  ErrorCode,
  type JSONRPCErrorResponse,
  type JSONRPCNotification,
  type JSONRPCRequest,
  type JSONRPCResultResponse,
  type RequestId,
} from '@modelcontextprotocol/sdk/types.js'
import { isObject } from '../util/is-object.js'
import type { Revisions } from './revisions.js'

/** The revision a request that names none is taken to speak (specification 2025-06-18 and later). */
const ASSUMED = '2025-03-26'

/** Batches were part of 2025-03-26 and were taken out again. */
const FIRST_WITHOUT_BATCHES = '2025-06-18'

/** The SDK's own bound. */
const MAX_BATCH = 100

/** Why a legacy revision is not spoken here; undefined if it is, or if none is named. */
export function versionRefusal(
  version: string | undefined,
  { legacy, served }: Revisions,
): string | undefined {
  if (version === undefined || legacy.includes(version)) return undefined
  const supported = served.join(', ')
  return `Unsupported protocol version ${JSON.stringify(version)} (supported versions: ${supported})`
}

/**
 * Why a batch is not taken; undefined if it is.
 *
 * @param size how many messages it has
 * @param version the revision agreed on or named by the caller; revisions are dates, so they compare as text
 */
export function batchRefusal(size: number, version = ASSUMED): string | undefined {
  if (version >= FIRST_WITHOUT_BATCHES) {
    return `protocol revision ${version} has no batches: send one message at a time`
  }
  if (size === 0) return 'the batch is empty'
  return size > MAX_BATCH ? `the batch has ${size} messages: ${MAX_BATCH} is the most` : undefined
}

export type JsonRpcResponse = JSONRPCResultResponse | JSONRPCErrorResponse

/** The JSON-RPC and MCP error codes this project answers with. */
export const RpcCode = {
  parseError: ErrorCode.ParseError,
  invalidRequest: ErrorCode.InvalidRequest,
  methodNotFound: ErrorCode.MethodNotFound,
  invalidParams: ErrorCode.InvalidParams,
  internalError: ErrorCode.InternalError,
  /** The SDK's own code for a request that its transport turns down. */
  transport: -32000,
  /** Likewise, for a session that is not (or no longer) there. */
  sessionNotFound: -32001,
  /** Of 2026-07-28: a header is missing, cannot be read, or differs from the body. */
  headerMismatch: -32020,
  /** Of 2026-07-28: the client has not declared a capability that its request needs. */
  missingCapability: -32021,
  /** Of 2026-07-28: the revision that a request names is not served. */
  unsupportedVersion: -32022,
} as const

/** An error with no request to answer to: its id could not be made out (JSON-RPC 2.0, section 5). */
export interface AnonymousError {
  jsonrpc: '2.0'
  error: { code: number; message: string }
  id: null
}

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

export function isRequestId(value: unknown): value is RequestId {
  return typeof value === 'string' || Number.isSafeInteger(value)
}

/** An object that may stand as `params`. */
function mayBeParams(value: unknown): boolean {
  return value === undefined || (isObject(value) && mayBeMeta(value._meta))
}

function mayBeMeta(value: unknown): boolean {
  if (value === undefined) return true
  return isObject(value) && (value.progressToken === undefined || isRequestId(value.progressToken))
}

const REQUEST_KEYS = ['jsonrpc', 'id', 'method', 'params']

function hasOnly(message: Record<string, unknown>, keys: readonly string[]): boolean {
  for (const key in message) if (!keys.includes(key)) return false
  return true
}

export function isRequest(message: unknown): message is JSONRPCRequest {
  return (
    isObject(message) &&
    message.jsonrpc === '2.0' &&
    typeof message.method === 'string' &&
    isRequestId(message.id) &&
    mayBeParams(message.params) &&
    hasOnly(message, REQUEST_KEYS)
  )
}

export function isNotification(message: unknown): message is JSONRPCNotification {
  return (
    isObject(message) &&
    message.jsonrpc === '2.0' &&
    typeof message.method === 'string' &&
    !('id' in message) &&
    mayBeParams(message.params)
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

/** Whether a message gets an answer: a request does, and so does a value that is no message. */
export function expectsAnswer(message: unknown): boolean {
  return !isNotification(message) && !isResponse(message)
}
