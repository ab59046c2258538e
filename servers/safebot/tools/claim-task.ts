import { z } from 'zod'
import { defineTool, type ToolContext } from '../../../shared/mcp/define-tool.js'
import type { Agent } from '../agent.js'
import { claimFor, claimInput, claimOutput, renderEmpty } from './claiming.js'
import type { ToolKit } from './context.js'
import { notice, taskLine } from './reading.js'

export const claimTask = (kit: ToolKit) =>
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
      const { claim, result } = await claimFor(kit, args, context, context.signal)
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
