import { z } from 'zod'
import { defineTool } from '../../../shared/mcp/define-tool.js'
import type { Agent } from '../agent.js'
import { enterRoom, type ToolKit } from './context.js'
import { roomUrl, wholeNumber } from './schemas.js'

export const ackTask = (kit: ToolKit) =>
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
      seq: wholeNumber('a whole number, 1 or more: the seq that claim_task returned', 1).describe(
        'As claim_task returned it',
      ),
    }),
    output: z.strictObject({
      advanced: z.boolean().describe('false: it had been acknowledged before'),
      cursor: z.int().describe('The last acknowledged seq'),
    }),
    hints: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: true },
    async run({ url, claim_id, seq }, { caller }: { caller: Agent }) {
      const room = kit.urls.parse(url)
      const service = await enterRoom(kit, caller, room)
      const acknowledged = await service.ack(room.roomId, caller.handle, claim_id, seq)
      caller.activate(room)
      return acknowledged
    },
    render: ({ advanced, cursor }) =>
      advanced
        ? `ack ok — cursor advanced to seq=${cursor}`
        : `ack ok — no change (cursor already at ${cursor}; the message was already acked by a prior call)`,
  })
