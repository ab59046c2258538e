import type { RequestId } from '@modelcontextprotocol/sdk/types.js'
import type { Clock } from '../clock/clock.js'
import { corruptionOf } from '../faults/corruption.js'
import type { FaultAction, RawAnswer } from '../faults/fault.js'
import type { ActiveFault } from '../faults/table.js'
import { isObject } from '../util/is-object.js'
import type { FaultableCall } from './conversation.js'
import { toolError } from './define-tool.js'
import { errorResponse, type JsonRpcResponse, RpcCode } from './messages.js'

const PAD = '.'

/** The functions of the host that carry out a fault on a call. */
export interface FaultHooks {
  /** Runs the call as if there were no fault. */
  run(): void
  /** Answers the call without running the call. */
  answer(response: JsonRpcResponse): void
  /** Crashes the server. */
  crash(): void
}

/**
 * Applies a fault to a call. The delay comes first. The action follows, and some actions replace running the
 * call.
 *
 * A corruption is only recorded in the reply of the call. The reply corrupts the answer when it sends the
 * answer. The host itself carries out the `bytes` action.
 */
export function applyFault(
  call: FaultableCall,
  { delayMs, act }: ActiveFault,
  clock: Clock,
  hooks: FaultHooks,
): void {
  call.fault = act ?? 'delayed'
  const corruption = act && corruptionOf(act, call.callerId)
  // The corruption is recorded before the delay, because a stream that has begun cannot change its status or
  // encoding.
  if (corruption !== undefined) call.reply = call.reply.corrupted(corruption)
  const goOn = () => {
    if (call.cancellation.signal.aborted) return
    const replacement = act && replacementAnswer(act, call.callerId)
    if (replacement !== undefined) hooks.answer(replacement)
    else if (act !== undefined && 'crash' in act) hooks.crash()
    else if (act === undefined || !('hang' in act)) hooks.run()
  }
  if (delayMs === 0) {
    // The action is deferred, because the transport may first have to begin the stream that carries the
    // answer.
    queueMicrotask(goOn)
    return
  }
  const wakeup = clock.wakeAt(clock.now() + delayMs, goOn)
  call.cancellation.signal.addEventListener('abort', () => wakeup.cancel())
}

/**
 * Returns the answer that replaces running a call. Returns undefined if no answer replaces the call.
 *
 * Over HTTP, a corruption of the reply replaces the answer to `httpStatus`, `raw` and `drop`. A transport
 * that cannot apply the corruption sends the answer that this function returns.
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
 * Returns the answer to a `raw` fault for transports other than HTTP. Over HTTP, the reply sends the raw body
 * with its status and headers.
 */
function rawAnswer({ status, headers }: RawAnswer, id: RequestId): JsonRpcResponse {
  const why =
    status === undefined && headers === undefined
      ? 'the answer is a raw body'
      : 'raw with status or headers is a fault for HTTP alone: leave both out'
  return errorResponse(id, RpcCode.transport, why)
}

/**
 * Pads the text of an answer with dots, so that its JSON has exactly `bytes` bytes.
 *
 * Returns a tool error that contains only dots if the answer is too large or has no text. If the request id
 * leaves no space for dots, the tool error has no dots.
 *
 * @param bytes size of the whole JSON-RPC message
 * @param modern whether the request is of the modern era, which needs a `resultType` in the result
 */
export function sized(response: JsonRpcResponse, bytes: number, modern = false): JsonRpcResponse {
  const dots = dotsFor(response.id, modern)
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
 * Returns a tool error with an empty text. A successful result would have to follow the output schema of its
 * tool.
 */
function dotsFor(id: RequestId | undefined, modern: boolean): JsonRpcResponse {
  const type = modern ? { resultType: 'complete' } : {}
  const result = { ...type, content: [{ type: 'text', text: '' }], isError: true }
  return { jsonrpc: '2.0', id: id ?? 0, result }
}
