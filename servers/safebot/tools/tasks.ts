import { setMaxListeners } from 'node:events'
import { z } from 'zod'
import { Refusal } from '../../../shared/errors.js'
import type { FaultTable } from '../../../shared/faults/table.js'
import { defineTool, type ToolContext } from '../../../shared/mcp/define-tool.js'
import type { Agent } from '../callers.js'
import { ServiceRefusal } from '../domain/refusals.js'
import type { RoomAddress } from '../room-url.js'
import type { Claim, SafebotService } from '../service.js'
import {
  enterRoom,
  notice,
  patience,
  read,
  reporting,
  serviceSentence,
  type ToolDeps,
  taskLine,
} from './context.js'
import { activeRoomChanged, readMessage, roomUrl, timeoutSeconds, wholeNumberInput } from './schemas.js'

/** The input of `claim_task` and `next_task`. */
export const claimInput = z.strictObject({ url: roomUrl, timeout_seconds: timeoutSeconds(60) })

/** The output of both: a task or none. */
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

/** For the observed contract: a call continues after its caller has left. */
const NEVER = new AbortController().signal
// All waiting requests listen to it. Without this, Node warns about their number.
setMaxListeners(0, NEVER)

export const nextTask = (deps: ToolDeps) =>
  defineTool({
    name: 'next_task',
    title: 'Take the next task',
    description:
      'Takes the oldest message you have not acknowledged, or waits for one, and acknowledges it at once: delivered at most ' +
      'once. If losing it in a crash would hurt, use claim_task and ack_task.',
    input: claimInput,
    output: claimOutput.extend({
      warning: z
        .string()
        .nullable()
        .describe('Set if the acknowledgement failed: the message will come again'),
    }),
    hints: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
    async run(args, context: ToolContext<Agent>) {
      const signal = deps.contract.cancelledNextTaskGivesBack ? context.signal : NEVER
      const claimed = await claimFor(deps, args, context, signal)
      return { ...claimed.result, warning: await acknowledge(deps, claimed, context.caller, signal) }
    },
    render(result) {
      if (result.task === null) return renderEmpty('next_task', result)
      const warning =
        result.warning === null
          ? ''
          : `\n(warning: ${result.warning}; message will be re-delivered on next call)`
      return (
        `${taskLine(result.task)}\n\n(listening in-room as "${result.label}" via auth @${result.handle}; reply with ` +
        `send_message, then call next_task again)${notice(result.room_id, result.active_room_changed)}${warning}`
      )
    },
  })

/**
 * Acknowledges the claim, or releases it if its caller has left. Returns the error that the caller must see.
 */
async function acknowledge(
  { faults }: ToolDeps,
  { room, service, claim }: Claimed,
  { handle }: Agent,
  signal: AbortSignal,
): Promise<string | null> {
  if (claim.held === undefined) return null
  const { claimId, message } = claim.held
  if (signal.aborted) {
    await service.release(room.roomId, handle, claimId)
    return null
  }
  const fault = ackFault(faults)
  if (fault !== undefined) return fault
  try {
    await service.ack(room.roomId, handle, claimId, message.seq)
    return null
  } catch (error) {
    if (error instanceof ServiceRefusal) return serviceSentence('ack', error)
    // The service has ended meanwhile. The task it has delivered must not be lost.
    if (error instanceof Refusal) return error.sentence
    throw error
  }
}

/**
 * Returns the error of a fault on `ack_task`, for the acknowledgement inside of `next_task`. Its words are
 * those of the warning. Undefined if no fault is due.
 */
function ackFault(faults: FaultTable): string | undefined {
  const act = faults.dueInside('safebot', 'ack_task')
  if (act === undefined) return undefined
  if ('toolError' in act) return act.toolError
  if (!('httpStatus' in act)) return undefined
  const { httpStatus, body = '' } = act
  return `ack failed: ${httpStatus} ${typeof body === 'string' ? body : JSON.stringify(body)}`.trimEnd()
}

type ClaimOutput = z.infer<typeof claimOutput>

interface Claimed {
  room: RoomAddress
  service: SafebotService
  claim: Claim
  result: ClaimOutput
}

/**
 * Claims the next task of a room for the calling agent. Waits for one if needed.
 *
 * @param signal ends the wait. The contract decides whether it is aborted when the caller leaves.
 */
export async function claimFor(
  deps: ToolDeps,
  args: z.infer<typeof claimInput>,
  { caller, progress }: ToolContext<Agent>,
  signal: AbortSignal,
): Promise<Claimed> {
  const room = deps.urls.parse(args.url)
  const service = await enterRoom(deps, caller, room)
  const { roomId, key } = room
  const { handle } = caller
  const request = { handle, labels: caller.labels(room), ...patience(deps, args.timeout_seconds) }
  const claiming = service.claim(roomId, request, signal)
  const claim = await reporting(deps.clock, progress, args.timeout_seconds, claiming)
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

/** Returns the text of a claim without a task. */
export function renderEmpty(tool: string, result: ClaimOutput): string {
  return (
    `(no new messages — blocked ${result.timeout_seconds}s as "${result.label}" via auth @${result.handle}, ` +
    `cursor=${result.cursor}; call ${tool} again to keep listening)${notice(result.room_id, result.active_room_changed)}`
  )
}

export const claimTask = (deps: ToolDeps) =>
  defineTool({
    name: 'claim_task',
    title: 'Claim a task',
    description:
      'Takes the oldest message you have not acknowledged, or waits for one, and holds it for you for 60 seconds. ' +
      'Do the work, then call ack_task with the claim_id and seq; without that the message is delivered again.',
    input: claimInput,
    output: claimOutput.extend({
      claim_id: z.string().nullable().describe('UUID to acknowledge with; null without a task'),
    }),
    hints: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
    async run(args, context: ToolContext<Agent>) {
      const { claim, result } = await claimFor(deps, args, context, context.signal)
      return { ...result, claim_id: claim.held?.claimId ?? null }
    },
    render(result) {
      if (result.task === null) return renderEmpty('claim_task', result)
      return (
        `${taskLine(result.task)}\n\n(claim_id=${result.claim_id} seq=${result.task.seq} — reply first, then ack_task ` +
        `with both; claim expires in 60s and re-delivers if you never ack)${notice(result.room_id, result.active_room_changed)}`
      )
    },
  })

export const ackTask = (deps: ToolDeps) =>
  defineTool({
    name: 'ack_task',
    title: 'Acknowledge a task',
    description:
      'Marks a claimed message as done: your cursor moves past it and it is not delivered to you again. Safe to repeat. ' +
      'Refused if the claim has run out or is not yours.',
    input: z.strictObject({
      url: roomUrl,
      claim_id: z
        .string({ error: 'the claim_id that claim_task returned' })
        .describe('As claim_task returned it'),
      seq: wholeNumberInput('a whole number, 1 or more: the seq that claim_task returned', 1).describe(
        'As claim_task returned it',
      ),
    }),
    output: z.strictObject({
      advanced: z.boolean().describe('false: it had been acknowledged before'),
      cursor: z.int().describe('The last acknowledged seq'),
    }),
    hints: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: true },
    async run({ url, claim_id, seq }, { caller }: { caller: Agent }) {
      const room = deps.urls.parse(url)
      const service = await enterRoom(deps, caller, room)
      const acknowledged = await service.ack(room.roomId, caller.handle, claim_id, seq)
      caller.activate(room)
      return acknowledged
    },
    render: ({ advanced, cursor }) =>
      advanced
        ? `ack ok — cursor advanced to seq=${cursor}`
        : `ack ok — no change (cursor already at ${cursor}; the message was already acked by a prior call)`,
  })
