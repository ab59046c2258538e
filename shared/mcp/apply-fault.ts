import type { RequestId } from '@modelcontextprotocol/sdk/types.js'
import type { Clock } from '../clock/clock.js'
import { corruptionOf } from '../faults/corruption.js'
import type { FaultAction, RawAnswer } from '../faults/fault.js'
import type { ActiveFault } from '../faults/table.js'
import { isObject } from '../util/objects.js'
import type { FaultableCall } from './conversation.js'
import { toolError } from './define-tool.js'
import { errorResponse, type JsonRpcResponse, RpcCode } from './messages.js'

const PAD = '.'

/** The functions of the host that carry out a fault on a call. */
export interface FaultHooks {
  /** Runs the call as if there were no fault. */
  run(): void
  /** Answers the call without running it. */
  answer(response: JsonRpcResponse): void
  /** Crashes the server. */
  crash(): void
}

/**
 * Applies a fault to a call. After the delay, the call runs, unless the action answers the call, leaves it
 * unanswered or crashes the server.
 *
 * To corrupt the answer, this function only replaces the reply of the call. The new reply corrupts the answer
 * while sending it. The `bytes` action is applied by the host.
 */
export function applyFault(
  call: FaultableCall,
  { delayMs, act }: ActiveFault,
  clock: Clock,
  hooks: FaultHooks,
): void {
  call.fault = act ?? 'delayed'
  const corruption = act && corruptionOf(act, call.callerId)
  // The reply is replaced before the delay, because a stream that has begun cannot change its status or
  // encoding.
  if (corruption !== undefined) call.reply = call.reply.corrupted(corruption)
  const afterDelay = () => {
    if (call.cancellation.signal.aborted) return
    const replacement = act && replacementAnswer(act, call.callerId)
    if (replacement !== undefined) hooks.answer(replacement)
    else if (act !== undefined && 'crash' in act) hooks.crash()
    else if (act === undefined || !('hang' in act)) hooks.run()
  }
  if (delayMs === 0) {
    // The action is deferred, so that the transport can begin the stream for the answer first.
    queueMicrotask(afterDelay)
    return
  }
  const wakeup = clock.wakeAt(clock.now() + delayMs, afterDelay)
  call.cancellation.signal.addEventListener('abort', () => wakeup.cancel())
}

/**
 * Returns the answer that an action gives instead of running the call. Returns undefined if the action gives
 * no such answer.
 *
 * For `httpStatus`, `raw` and `drop`, this answer is not sent over HTTP. There, the corrupted reply sends the
 * status or the raw body, or cuts the connection. Transports that cannot do so send this answer.
 */
function replacementAnswer(act: FaultAction, id: RequestId): JsonRpcResponse | undefined {
  if ('toolError' in act) return { jsonrpc: '2.0', id, result: toolError(act.toolError) }
  if ('rpcError' in act) return errorResponse(id, act.rpcError.code, act.rpcError.message, act.rpcError.data)
  if ('httpStatus' in act) {
    const body = typeof act.body === 'string' ? act.body : JSON.stringify(act.body)
    return errorResponse(id, RpcCode.transport, `HTTP ${act.httpStatus}${body ? `: ${body}` : ''}`)
  }
  if ('raw' in act) return rawAnswer(act.raw, id)
  if ('drop' in act && act.drop === 'before') {
    return errorResponse(id, RpcCode.transport, 'the connection was cut')
  }
  return undefined
}

/**
 * Returns the answer to a `raw` fault for transports that cannot send the raw body. Over HTTP, the reply
 * sends the raw body with its status and headers.
 */
function rawAnswer({ status, headers }: RawAnswer, id: RequestId): JsonRpcResponse {
  const why =
    status === undefined && headers === undefined
      ? 'the answer is a raw body'
      : 'a raw fault with status or headers works only over HTTP: leave both out'
  return errorResponse(id, RpcCode.transport, why)
}

/**
 * Pads the text of an answer with dots, so that its JSON has exactly `bytes` bytes.
 *
 * If the answer is too large or has no text, returns a tool error whose text is only dots. If the request id
 * is so long that no dot fits, the text of the tool error is empty.
 *
 * @param bytes size of the whole JSON-RPC message
 * @param modern whether the request is of the modern era, which needs a `resultType` in the result
 */
export function sized(response: JsonRpcResponse, bytes: number, modern = false): JsonRpcResponse {
  const dots = emptyToolError(response.id, modern)
  return padded(response, bytes) ?? padded(dots, bytes) ?? dots
}

/**
 * Pads the text of an answer to `bytes` bytes. Returns undefined if the answer is too large or has no text.
 */
function padded(response: JsonRpcResponse, bytes: number): JsonRpcResponse | undefined {
  const missing = bytes - Buffer.byteLength(JSON.stringify(response))
  if (missing < 0) return undefined
  if ('error' in response) {
    return {
      ...response,
      error: { ...response.error, message: response.error.message + PAD.repeat(missing) },
    }
  }
  const { content } = response.result
  if (!Array.isArray(content)) return undefined
  const [first, ...rest]: unknown[] = content
  if (!isObject(first) || typeof first.text !== 'string') return undefined
  const text = first.text + PAD.repeat(missing)
  return { ...response, result: { ...response.result, content: [{ ...first, text }, ...rest] } }
}

/**
 * Returns a tool error with an empty text. An error is used because a successful result would have to match
 * the output schema of the tool.
 */
function emptyToolError(id: RequestId | undefined, modern: boolean): JsonRpcResponse {
  const type = modern ? { resultType: 'complete' } : {}
  const result = { ...type, content: [{ type: 'text', text: '' }], isError: true }
  return { jsonrpc: '2.0', id: id ?? 0, result }
}
