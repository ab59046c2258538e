import type { RequestId } from '@modelcontextprotocol/sdk/types.js'
import { toolError } from '../mcp/define-tool.js'
import { errorResponse, type JsonRpcResponse, RpcCode } from '../mcp/messages.js'
import type { FaultAction } from './fault.js'

/**
 * What a call is answered with instead of being run; undefined if it is run.
 *
 * Where an answer is garbled besides, as with `httpStatus` over HTTP, this is what goes out by ways that know no such thing.
 */
export function insteadOf(act: FaultAction, id: RequestId): JsonRpcResponse | undefined {
  if ('toolError' in act) return { jsonrpc: '2.0', id, result: toolError(act.toolError) }
  if ('rpcError' in act) return errorResponse(id, act.rpcError.code, act.rpcError.message)
  if ('httpStatus' in act) {
    const body = typeof act.body === 'string' ? act.body : JSON.stringify(act.body)
    return errorResponse(id, RpcCode.transport, `HTTP ${act.httpStatus}${body ? `: ${body}` : ''}`)
  }
  if ('drop' in act && act.drop === 'before') {
    return errorResponse(id, RpcCode.transport, 'the connection was cut')
  }
  return undefined
}
