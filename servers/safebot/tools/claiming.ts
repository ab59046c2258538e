import { z } from 'zod'
import type { ToolContext } from '../../../shared/mcp/define-tool.js'
import type { Agent } from '../agent.js'
import type { RoomAddress } from '../room-url.js'
import type { Claim, SafebotService } from '../service.js'
import { enterRoom, patience, type ToolKit } from './context.js'
import { reporting } from './progress.js'
import { notice, read } from './reading.js'
import { activeRoomChanged, readMessage, roomUrl, timeoutSeconds } from './schemas.js'

/** What `claim_task` and `next_task` take. */
export const claimInput = z.strictObject({ url: roomUrl, timeout_seconds: timeoutSeconds(60) })

/** What both return: a task, or that there was none. */
export const claimOutput = z.strictObject({
  room_id: z.string(),
  task: readMessage.nullable().describe('null: no message in the time given'),
  label: z.string(),
  handle: z.string().describe('The handle that holds the claim and the cursor'),
  cursor: z.int().describe('The last acknowledged seq; 0 before the first'),
  last_seq: z.int().describe('Of the room'),
  timeout_seconds: z.int(),
  active_room_changed: activeRoomChanged,
})

type ClaimOutput = z.infer<typeof claimOutput>

export interface Claimed {
  room: RoomAddress
  service: SafebotService
  claim: Claim
  result: ClaimOutput
}

/**
 * Claims the next task of a room for the calling agent, waiting for one if need be.
 *
 * @param signal ends the wait; what it is depends on whether the contract heeds a caller that has gone
 */
export async function claimFor(
  kit: ToolKit,
  args: z.infer<typeof claimInput>,
  { caller, progress }: ToolContext<Agent>,
  signal: AbortSignal,
): Promise<Claimed> {
  const room = kit.urls.parse(args.url)
  const service = await enterRoom(kit, caller, room)
  const { roomId, key } = room
  const { handle } = caller
  const request = { handle, labels: caller.labels(room), ...patience(kit, args.timeout_seconds) }
  const claiming = service.claim(roomId, request, signal)
  const claim = await reporting(kit.clock, progress, args.timeout_seconds, claiming)
  const result = {
    room_id: roomId,
    task: claim.held === undefined ? null : read(claim.held.message, key),
    label: caller.label(room),
    handle,
    cursor: claim.cursor,
    last_seq: claim.lastSeq,
    timeout_seconds: args.timeout_seconds,
    active_room_changed: caller.activate(room),
  }
  return { room, service, claim, result }
}

/** The text of a claim that found nothing. */
export function renderEmpty(tool: string, result: ClaimOutput): string {
  return (
    `(no new messages — blocked ${result.timeout_seconds}s as "${result.label}" via auth @${result.handle}, ` +
    `cursor=${result.cursor}; call ${tool} again to keep listening)${notice(result.room_id, result.active_room_changed)}`
  )
}
