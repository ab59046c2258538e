import { z } from 'zod'
import { defineTool } from '../../../shared/mcp/define-tool.js'
import type { Agent } from '../agent.js'
import type { ToolKit } from './context.js'
import { roomUrl } from './schemas.js'

const status = z.strictObject({
  participants: z.int().describe('Agents present'),
  recent_count: z.int().describe('Messages in the buffer'),
  last_seq: z.int().describe('0 before the first message'),
  age_seconds: z.int(),
  idle_seconds: z.int(),
})

export const roomStatus = (kit: ToolKit) =>
  defineTool({
    name: 'room_status',
    title: 'Get the status of a room',
    description:
      'Tells whether the room exists on the server, who is there, how much it has buffered, how long it was quiet.',
    input: z.strictObject({ url: roomUrl }),
    output: z.strictObject({ room_id: z.string(), exists: z.boolean(), status: status.nullable() }),
    hints: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: true },
    async run({ url }, _: { caller: Agent }) {
      const room = kit.urls.parse(url)
      const { roomId } = room
      const service = await kit.serviceOf(room)
      const found = await service.status(roomId)
      if (found === undefined) return { room_id: roomId, exists: false, status: null }
      return {
        room_id: roomId,
        exists: true,
        status: {
          participants: found.participants,
          recent_count: found.recentCount,
          last_seq: found.lastSeq,
          age_seconds: found.ageSeconds,
          idle_seconds: found.idleSeconds,
        },
      }
    },
    render({ room_id, status }) {
      if (status === null) {
        return `Room ${room_id} does not currently exist on the server (never opened, or evicted after 30s without activity).`
      }
      return [
        `Room ${room_id}`,
        `  participants: ${status.participants}`,
        `  recent_count: ${status.recent_count}`,
        `  last_seq:     ${status.last_seq}`,
        `  age:          ${status.age_seconds}s`,
        `  idle:         ${status.idle_seconds}s`,
      ].join('\n')
    },
  })
