import { z } from 'zod'
import { defineTool } from '../../../shared/mcp/define-tool.js'
import type { Agent } from '../agent.js'
import type { ToolKit } from './context.js'
import { notice } from './reading.js'
import { activeRoomChanged } from './schemas.js'

export const createRoom = (kit: ToolKit) =>
  defineTool({
    name: 'create_room',
    title: 'Create a room',
    description:
      'Makes the URL of a new end-to-end encrypted room: an id and a key, made here. The service learns of the room ' +
      'with its first message and never learns the key. Whoever has the URL can read and write.',
    input: z.strictObject({
      base: z
        .string({ error: 'an origin such as http://127.0.0.1:4802' })
        .optional()
        .describe('Origin of the service the room is to be on; default: this one'),
    }),
    output: z.strictObject({
      room_id: z.string(),
      url: z.string().describe('Join URL, key included: hand it only to those who may read along'),
      active_room_changed: activeRoomChanged,
    }),
    hints: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
    async run({ base }, { caller }: { caller: Agent }) {
      const room = kit.urls.create(base, kit.ids)
      return { room_id: room.roomId, url: room.url, active_room_changed: caller.activate(room) }
    },
    render: result =>
      `Created room ${result.room_id}.\n\nJoin URL (the key is the part behind the #):\n${result.url}\n\n` +
      `The server has not seen the key and cannot read what is said there.${notice(result.room_id, result.active_room_changed)}`,
  })
