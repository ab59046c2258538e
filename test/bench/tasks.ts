import { setTimeout as sleep } from 'node:timers/promises'
import type { McpCaller } from './client/mcp-caller.js'

/** Long enough for a claim to have parked, on another replica, too. */
const PARKING_MS = 5

/** One cycle: takes the next task of a room, and acknowledges it. */
export async function claimAndAck(worker: McpCaller, url: string): Promise<void> {
  const { structuredContent } = await worker.read('claim_task', { url, timeout_seconds: 1 })
  const task = Object(structuredContent?.task)
  await worker.call('ack_task', { url, claim_id: structuredContent?.claim_id, seq: task.seq })
}

/**
 * Has a worker wait for a task, and posts one; the worker acknowledges it.
 *
 * @param there the room's URL for the worker, who may be at another replica
 * @returns how soon the worker had it, counted from before it was posted: milliseconds
 */
export async function wakeOnce(
  poster: McpCaller,
  url: string,
  worker: McpCaller,
  there = url,
): Promise<number> {
  let arrived = 0
  const claiming = worker.read('claim_task', { url: there, timeout_seconds: 30 }).then(result => {
    arrived = performance.now()
    return result
  })
  await sleep(PARKING_MS)
  const posted = performance.now()
  await poster.call('send_message', { url, text: 'wake up' })
  const { structuredContent } = await claiming
  const task = Object(structuredContent?.task)
  await worker.call('ack_task', { url: there, claim_id: structuredContent?.claim_id, seq: task.seq })
  return arrived - posted
}
