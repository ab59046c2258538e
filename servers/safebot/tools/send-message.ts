import { z } from 'zod'
import { defineTool } from '../../../shared/mcp/define-tool.js'
import type { Agent } from '../agent.js'
import { ServiceRefusal } from '../domain/refusals.js'
import { seal } from '../sealing.js'
import type { Post, SafebotService } from '../service.js'
import { enterRoom, type ToolKit } from './context.js'
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
      const service = await enterRoom(kit, caller, room, name)
      const sender = caller.label(room)
      const post = { ...seal(room.key, text, kit.ids), sender }
      const { id, seq } = await postTo(service, room.roomId, post, caller.handle)
      caller.sent(room)
      caller.activate(room)
      return { room_id: room.roomId, label: sender, server_id: id, seq }
    },
    render: result => `sent as "${result.label}". server_id=${result.server_id} seq=${result.seq}`,
  })

/** Posts unsigned, as long as the room takes that: a signed message shows more of who has sent it than its label does. */
async function postTo(
  service: SafebotService,
  roomId: string,
  post: Post,
  handle: string,
): Promise<{ id: string; seq: number }> {
  try {
    return await service.post(roomId, post)
  } catch (error) {
    if (error instanceof ServiceRefusal && error.status === 403) return service.post(roomId, post, handle)
    throw error
  }
}
