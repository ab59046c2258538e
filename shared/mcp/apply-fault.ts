import type { RequestId } from '@modelcontextprotocol/sdk/types.js'
import type { Clock } from '../clock/clock.js'
import type { FaultAction } from '../faults/fault.js'
import { garblingOf } from '../faults/garbling.js'
import { insteadOf } from '../faults/instead.js'
import type { Due } from '../faults/table.js'
import type { Cancellation } from '../util/cancellation.js'
import type { Reply } from './conversation.js'
import type { JsonRpcResponse } from './messages.js'

/** What a call has that may meet a fault. */
export interface Troubled {
  /** The id its caller gave it. */
  readonly callerId: RequestId
  /** Changes if its answer is to be spoilt. */
  reply: Reply
  readonly cancellation: Cancellation
  /** What it has met, if anything. */
  fault?: FaultAction | 'delayed'
}

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
export function meet(call: Troubled, { delayMs, act }: Due, clock: Clock, ways: Ways): void {
  call.fault = act ?? 'delayed'
  const garbling = act && garblingOf(act)
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
