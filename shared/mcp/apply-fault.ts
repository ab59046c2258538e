import type { RequestId } from '@modelcontextprotocol/sdk/types.js'
import type { Clock } from '../clock/clock.js'
import { corruptionOf } from '../faults/corruption.js'
import type { FaultAction, RawAnswer } from '../faults/fault.js'
import type { ActiveFault } from '../faults/table.js'
import { isObject } from '../util/is-object.js'
import type { Troubled } from './conversation.js'
import { toolError } from './define-tool.js'
import { errorResponse, type JsonRpcResponse, RpcCode } from './messages.js'

const PAD = '.'

/** How it may go on for it. */
export interface Ways {
  /** As if there were no fault. */
  run(): void
  answer(response: JsonRpcResponse): void
  crash(): void
}

/**
 * Lets a call meet what is due on it: the delay first, then what comes instead of running it, if anything does. What
 * comes of its answer is up to its reply, which is told here, and to the host, which makes it the size it is to be.
 */
export function meet(call: Troubled, { delayMs, act }: ActiveFault, clock: Clock, ways: Ways): void {
  call.fault = act ?? 'delayed'
  const garbling = act && corruptionOf(act, call.callerId)
  // Before the delay: once a stream has begun it is too late for another status or encoding.
  if (garbling !== undefined) call.reply = call.reply.garbled(garbling)
  const goOn = () => {
    if (call.cancellation.signal.aborted) return
    const instead = act && insteadOf(act, call.callerId)
    if (instead !== undefined) ways.answer(instead)
    else if (act !== undefined && 'crash' in act) ways.crash()
    else if (act === undefined || !('hang' in act)) ways.run()
  }
  if (delayMs === 0) {
    // Not at once: the way it came in may yet have to begin the stream that its answer goes out on.
    queueMicrotask(goOn)
    return
  }
  const wakeup = clock.wakeAt(clock.now() + delayMs, goOn)
  call.cancellation.signal.addEventListener('abort', () => wakeup.cancel())
}

/**
 * What a call is answered with instead of being run; undefined if it is run.
 *
 * Where an answer is garbled besides, as with `httpStatus` over HTTP, this is what goes out by ways that know no such thing.
 */
function insteadOf(act: FaultAction, id: RequestId): JsonRpcResponse | undefined {
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

/** Over HTTP its reply sends the raw body. Other ways in have no status and no headers. */
function rawAnswer({ status, headers }: RawAnswer, id: RequestId): JsonRpcResponse {
  const why =
    status === undefined && headers === undefined
      ? 'the answer is a raw body'
      : 'raw with status or headers is a fault for HTTP alone: leave both out'
  return errorResponse(id, RpcCode.transport, why)
}

/**
 * An answer whose JSON is exactly so many bytes: its text is padded with dots. One that is larger by itself gives way
 * to dots alone; one whose id does not leave room even for those is as small as can be.
 *
 * @param bytes of the whole JSON-RPC message
 * @param modern whether the result of dots needs a type
 */
export function sized(response: JsonRpcResponse, bytes: number, modern = false): JsonRpcResponse {
  const dots = dotsFor(response.id, modern)
  return padded(response, bytes) ?? padded(dots, bytes) ?? dots
}

/** Undefined if it is too large, or has no text. */
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

/** An error, since a result would have to bring the structure that its tool promises. */
function dotsFor(id: RequestId | undefined, modern: boolean): JsonRpcResponse {
  const type = modern ? { resultType: 'complete' } : {}
  const result = { ...type, content: [{ type: 'text', text: '' }], isError: true }
  return { jsonrpc: '2.0', id: id ?? 0, result }
}
