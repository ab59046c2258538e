import { z } from 'zod'
import { defineTool } from '../../../shared/mcp/define-tool.js'
import type { Agent } from '../callers.js'
import { activeRoomNotice, type ToolDeps } from './context.js'
import { activeRoomChanged, roomUrl } from './schemas.js'

export const createRoom = (deps: ToolDeps) =>
  defineTool({
    name: 'create_room',
    title: 'Create a room',
    description:
      'Creates the URL of a new end-to-end encrypted room, with a new id and a new key. ' +
      'The first message opens the room on the service, which never gets the key. ' +
      'Everyone with the URL can read and write.',
    input: z.strictObject({
      base: z
        .string({ error: 'an origin such as http://127.0.0.1:4802' })
        .optional()
        .describe('Origin of the service for the room. Default: this service'),
    }),
    output: z.strictObject({
      room_id: z.string(),
      url: z.string().describe('Join URL with the key. Give it only to agents that may read the room'),
      active_room_changed: activeRoomChanged,
    }),
    hints: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
    async run({ base }, { caller }: { caller: Agent }) {
      const room = deps.urls.create(base, deps.ids)
      return { room_id: room.roomId, url: room.url, active_room_changed: caller.activate(room) }
    },
    render: result =>
      `Created room ${result.room_id}.\n\nJoin URL (the key is the part after the #):\n${result.url}\n\n` +
      'The server has not seen the key and cannot read the messages.' +
      activeRoomNotice(result.room_id, result.active_room_changed),
  })

const status = z.strictObject({
  participants: z.int().describe('Number of connected participants'),
  recent_count: z.int().describe('Number of messages in the buffer'),
  last_seq: z.int().describe('seq of the last message. 0 before the first message'),
  age_seconds: z.int(),
  idle_seconds: z.int(),
})

export const roomStatus = (deps: ToolDeps) =>
  defineTool({
    name: 'room_status',
    title: 'Get the status of a room',
    description:
      'Returns whether the room exists, the numbers of its participants and buffered messages, ' +
      'its age and its idle time.',
    input: z.strictObject({ url: roomUrl }),
    output: z.strictObject({ room_id: z.string(), exists: z.boolean(), status: status.nullable() }),
    hints: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: true },
    async run({ url }, _: { caller: Agent }) {
      const room = deps.urls.parse(url)
      const { roomId } = room
      const service = await deps.serviceOf(room)
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
        return (
          `Room ${room_id} does not currently exist on the server ` +
          '(never opened, or evicted after 30s without activity).'
        )
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
