import {
  ErrorCode,
  type JSONRPCErrorResponse,
  type JSONRPCNotification,
  type JSONRPCRequest,
  type JSONRPCResultResponse,
  type RequestId,
} from '@modelcontextprotocol/sdk/types.js'
import { isObject } from '../util/is-object.js'

export type JsonRpcResponse = JSONRPCResultResponse | JSONRPCErrorResponse

/** The JSON-RPC and MCP error codes this project answers with. */
export const RpcCode = {
  parseError: ErrorCode.ParseError,
  invalidRequest: ErrorCode.InvalidRequest,
  invalidParams: ErrorCode.InvalidParams,
  internalError: ErrorCode.InternalError,
  /** The SDK's own code for a request that its transport turns down. */
  transport: -32000,
  /** Likewise, for a session that is not (or no longer) there. */
  sessionNotFound: -32001,
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

export function errorResponse(id: RequestId, code: number, message: string): JSONRPCErrorResponse {
  return { jsonrpc: '2.0', id, error: { code, message } }
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

/** Whether a message is to be answered: a request is, and so is what is no message at all. */
export function expectsAnswer(message: unknown): boolean {
  return !isNotification(message) && !isResponse(message)
}
