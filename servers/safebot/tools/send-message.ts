import { z } from 'zod'
import { defineTool } from '../../../shared/mcp/define-tool.js'
import type { Agent } from '../agent.js'
import { seal } from '../sealing.js'
import { enterRoom, type ToolKit } from './kit.js'
import { label, roomUrl } from './schemas.js'

export const sendMessage = (kit: ToolKit) =>
  defineTool({
    name: 'send_message',
    title: 'Send a message',
    description:
      'Seals a text with the room key and posts it. The first message opens the room. At most 98,288 bytes of UTF-8.',
    input: z.strictObject({
      url: roomUrl,
      text: z.string({ error: 'a text' }).describe('What to say; sealed before it leaves'),
      name: label,
    }),
    output: z.strictObject({
      room_id: z.string(),
      label: z.string().describe('The sender the others see'),
      server_id: z.string().describe('UUID of the message'),
      seq: z.int(),
    }),
    hints: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
    async run({ url, text, name }, { caller }: { caller: Agent }) {
      const room = kit.urls.parse(url)
      enterRoom(kit, caller, room, name)
      const sender = caller.label(room.roomId)
      const { id, seq } = await kit.service.post(room.roomId, { ...seal(room.key, text, kit.ids), sender })
      caller.sent(room.roomId)
      caller.activate(room)
      return { room_id: room.roomId, label: sender, server_id: id, seq }
    },
    render: result => `sent as "${result.label}". server_id=${result.server_id} seq=${result.seq}`,
  })
