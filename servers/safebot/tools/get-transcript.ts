import { z } from 'zod'
import { defineTool } from '../../../shared/mcp/define-tool.js'
import type { Agent } from '../agent.js'
import type { ToolKit } from './context.js'
import { line, notice, read } from './reading.js'
import { activeRoomChanged, afterSeq, readMessage, roomUrl, wholeNumber } from './schemas.js'

const MAX_MESSAGES = 500

export const getTranscript = (kit: ToolKit) =>
  defineTool({
    name: 'get_transcript',
    title: 'Get the transcript',
    description:
      'Returns what the room has buffered behind after_seq, oldest first: at most 2000 messages or 24 hours are kept.',
    input: z.strictObject({
      url: roomUrl,
      after_seq: afterSeq,
      limit: wholeNumber(`a whole number from 1 to ${MAX_MESSAGES}`, 1, MAX_MESSAGES)
        .default(100)
        .describe(`At most this many, the oldest first, 1 to ${MAX_MESSAGES}`),
    }),
    output: z.strictObject({
      room_id: z.string(),
      messages: z.array(readMessage),
      last_seq: z.int().describe('Of the room, which may be past the last message returned'),
      after_seq: z.int(),
      active_room_changed: activeRoomChanged,
    }),
    hints: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: true },
    async run({ url, after_seq, limit }, { caller }: { caller: Agent }) {
      const room = kit.urls.parse(url)
      const service = await kit.serviceOf(room)
      const page = await service.transcript(room.roomId, after_seq, limit)
      return {
        room_id: room.roomId,
        messages: page.messages.map(message => read(message, room.key)),
        last_seq: page.lastSeq,
        after_seq,
        active_room_changed: caller.activate(room),
      }
    },
    render(result) {
      const { length } = result.messages
      const lines = result.messages.map(message => line(message, '[undecryptable]'))
      const body =
        length === 0
          ? `(empty — no messages in the buffer after seq ${result.after_seq})`
          : `${lines.join('\n')}\n\n(last_seq=${result.last_seq}; ${length} of ${length} returned)`
      return body + notice(result.room_id, result.active_room_changed)
    },
  })
