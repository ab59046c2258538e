import { setMaxListeners } from 'node:events'
import { z } from 'zod'
import { Refusal } from '../../../shared/errors.js'
import { defineTool, type ToolContext } from '../../../shared/mcp/define-tool.js'
import type { Agent } from '../agent.js'
import { ServiceRefusal } from '../domain/refusals.js'
import { ackFault } from './ack-fault.js'
import { type Claimed, claimFor, claimInput, claimOutput, renderEmpty } from './claiming.js'
import type { ToolKit } from './context.js'
import { notice, taskLine } from './reading.js'
import { serviceSentence } from './refusal-text.js'

/** For the observed contract, under which a call goes on after its caller has gone. */
const NEVER = new AbortController().signal
// All calls that are parked listen to it: more than look right to Node.
setMaxListeners(0, NEVER)

export const nextTask = (kit: ToolKit) =>
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
      const signal = kit.contract.cancelledNextTaskGivesBack ? context.signal : NEVER
      const claimed = await claimFor(kit, args, context, signal)
      return { ...claimed.result, warning: await acknowledge(kit, claimed, context.caller, signal) }
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

/** Acknowledges the claim, or gives it back if its caller has left. Returns what went wrong, if the caller must know. */
async function acknowledge(
  { faults }: ToolKit,
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
    // A service that has gone meanwhile: what it has handed out must not be lost with its answer.
    if (error instanceof Refusal) return error.sentence
    throw error
  }
}
