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
  activeRoomNotice,
  enterRoom,
  openMessage,
  serviceErrorText,
  type ToolDeps,
  taskLine,
  waitOptions,
  withProgress,
} from './context.js'
import { activeRoomChanged, readMessage, roomUrl, timeoutSeconds, wholeNumberInput } from './schemas.js'

/** The input of `claim_task` and `next_task`. */
export const claimInput = z.strictObject({ url: roomUrl, timeout_seconds: timeoutSeconds(60) })

/** The output of `claim_task` and `next_task`: a task, or none. */
export const claimOutput = z.strictObject({
  room_id: z.string(),
  task: readMessage.nullable().describe('null: no message arrived in time'),
  label: z.string(),
  handle: z.string().describe('The handle that owns the claim and the cursor'),
  cursor: z.int().describe('seq of the last acknowledged message. 0 before the first one'),
  last_seq: z.int().describe('seq of the last message in the room'),
  timeout_seconds: z.int(),
  active_room_changed: activeRoomChanged,
})

/** Signal of `next_task` under the observed contract, where the call continues after its caller has left. */
const NEVER_ABORTED = new AbortController().signal
// Every waiting `next_task` listens to this signal. Node would warn about more than ten listeners.
setMaxListeners(0, NEVER_ABORTED)

export const nextTask = (deps: ToolDeps) =>
  defineTool({
    name: 'next_task',
    title: 'Take the next task',
    description:
      'Takes the oldest message that you have not acknowledged, or waits for one. Acknowledges it at once, ' +
      'so it is delivered at most once, and a crash loses it. ' +
      'Use claim_task and ack_task for work that must not be lost.',
    input: claimInput,
    output: claimOutput.extend({
      warning: z
        .string()
        .nullable()
        .describe('Set if the acknowledgement has failed. The message is then delivered again'),
    }),
    hints: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
    async run(args, context: ToolContext<Agent>) {
      const signal = deps.contract.cancelledNextTaskGivesBack ? context.signal : NEVER_ABORTED
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
        `${taskLine(result.task)}\n\n(listening in-room as "${result.label}" via auth @${result.handle}; ` +
        'reply with send_message, then call next_task again)' +
        activeRoomNotice(result.room_id, result.active_room_changed) +
        warning
      )
    },
  })

/**
 * Acknowledges the claimed task. If the caller has left, releases the task instead.
 *
 * @returns the warning for the caller if the ack fails. The task must still be returned, because the service
 *   has delivered it. Null if there is no error.
 */
async function acknowledge(
  { faults }: ToolDeps,
  { room, service, claim }: ClaimedTask,
  { handle }: Agent,
  signal: AbortSignal,
): Promise<string | null> {
  if (claim.task === undefined) return null
  const { claimId, message } = claim.task
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
    if (error instanceof ServiceRefusal) return serviceErrorText('ack', error)
    // The service has become unavailable since the claim.
    if (error instanceof Refusal) return error.sentence
    throw error
  }
}

/**
 * Returns the warning of an active fault on `ack_task`, which also applies to the ack inside of `next_task`.
 * Undefined if no such fault applies now.
 */
function ackFault(faults: FaultTable): string | undefined {
  const fault = faults.dueInside('safebot', 'ack_task')
  if (fault === undefined) return undefined
  if ('toolError' in fault) return fault.toolError
  if (!('httpStatus' in fault)) return undefined
  const { httpStatus, body = '' } = fault
  return `ack failed: ${httpStatus} ${typeof body === 'string' ? body : JSON.stringify(body)}`.trimEnd()
}

type ClaimOutput = z.infer<typeof claimOutput>

interface ClaimedTask {
  room: RoomAddress
  service: SafebotService
  claim: Claim
  result: ClaimOutput
}

/**
 * Claims the next task of a room for the calling agent. If there is none, waits for one.
 *
 * @param signal ends the wait when it is aborted
 */
export async function claimFor(
  deps: ToolDeps,
  args: z.infer<typeof claimInput>,
  { caller, progress }: ToolContext<Agent>,
  signal: AbortSignal,
): Promise<ClaimedTask> {
  const room = deps.urls.parse(args.url)
  const service = await enterRoom(deps, caller, room)
  const { roomId, key } = room
  const { handle } = caller
  const request = { handle, labels: caller.labels(room), ...waitOptions(deps, args.timeout_seconds) }
  const claiming = service.claim(roomId, request, signal)
  const claim = await withProgress(deps.clock, progress, args.timeout_seconds, claiming)
  const result = {
    room_id: roomId,
    task: claim.task === undefined ? null : openMessage(claim.task.message, key),
    label: caller.label(room),
    handle,
    cursor: claim.cursor,
    last_seq: claim.lastSeq,
    timeout_seconds: args.timeout_seconds,
    active_room_changed: caller.activate(room),
  }
  return { room, service, claim, result }
}

/** Returns the result text of a claim without a task. */
export function renderEmpty(tool: string, result: ClaimOutput): string {
  return (
    `(no new messages — blocked ${result.timeout_seconds}s as "${result.label}" ` +
    `via auth @${result.handle}, cursor=${result.cursor}; call ${tool} again to keep listening)` +
    activeRoomNotice(result.room_id, result.active_room_changed)
  )
}

export const claimTask = (deps: ToolDeps) =>
  defineTool({
    name: 'claim_task',
    title: 'Claim a task',
    description:
      'Claims the oldest message that you have not acknowledged, or waits for one. ' +
      'You have 60 seconds to do the work. Then call ack_task with the claim_id and the seq. ' +
      'Without ack_task, the message is delivered again.',
    input: claimInput,
    output: claimOutput.extend({
      claim_id: z.string().nullable().describe('UUID of the claim, for ack_task. null without a task'),
    }),
    hints: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
    async run(args, context: ToolContext<Agent>) {
      const { claim, result } = await claimFor(deps, args, context, context.signal)
      return { ...result, claim_id: claim.task?.claimId ?? null }
    },
    render(result) {
      if (result.task === null) return renderEmpty('claim_task', result)
      return (
        `${taskLine(result.task)}\n\n(claim_id=${result.claim_id} seq=${result.task.seq} — reply first, ` +
        'then ack_task with both; claim expires in 60s and re-delivers if you never ack)' +
        activeRoomNotice(result.room_id, result.active_room_changed)
      )
    },
  })

export const ackTask = (deps: ToolDeps) =>
  defineTool({
    name: 'ack_task',
    title: 'Acknowledge a task',
    description:
      'Acknowledges a claimed message: your cursor moves past it, and it is not delivered to you again. ' +
      'It is safe to repeat the call. The call is refused if the claim has expired or is not yours.',
    input: z.strictObject({
      url: roomUrl,
      claim_id: z
        .string({ error: 'the claim_id that claim_task returned' })
        .describe('The claim_id that claim_task returned'),
      seq: wholeNumberInput('a whole number, 1 or more: the seq that claim_task returned', 1).describe(
        'The seq that claim_task returned',
      ),
    }),
    output: z.strictObject({
      advanced: z.boolean().describe('false: the message had been acknowledged before'),
      cursor: z.int().describe('seq of the last acknowledged message'),
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
