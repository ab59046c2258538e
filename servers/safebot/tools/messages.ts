import { z } from 'zod'
import { defineTool, type ToolContext } from '../../../shared/mcp/define-tool.js'
import type { Agent } from '../agent.js'
import type { RoomAddress } from '../room-url.js'
import type { Page, SafebotService, WaitRequest } from '../service.js'
import { enterRoom, patience, type ToolKit } from './context.js'
import { reporting } from './progress.js'
import { line, notice, read } from './reading.js'
import { activeRoomChanged, afterSeq, label, readMessage, roomUrl, timeoutSeconds } from './schemas.js'

export const waitForMessages = (kit: ToolKit) =>
  defineTool({
    name: 'wait_for_messages',
    title: 'Wait for messages',
    description:
      'Returns the messages behind after_seq, or waits for the first to arrive. Takes nothing away: for work that must ' +
      'not be lost or done twice use claim_task and ack_task.',
    input: z.strictObject({
      url: roomUrl,
      after_seq: afterSeq,
      timeout_seconds: timeoutSeconds(20),
      include_self: z
        .boolean({ error: 'true or false' })
        .default(false)
        .describe('Whether to show own messages too'),
      name: label,
    }),
    output: z.strictObject({
      room_id: z.string(),
      messages: z.array(readMessage),
      last_seq: z.int().describe('Pass this as after_seq next time'),
      server_last_seq: z.int(),
      timeout_seconds: z.int(),
      active_room_changed: activeRoomChanged,
    }),
    hints: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: true },
    async run(args, context: ToolContext<Agent>) {
      const room = kit.urls.parse(args.url)
      const { caller } = context
      const service = await enterRoom(kit, caller, room, args.name)
      const hidden = args.include_self ? [] : [caller.label(room)]
      const request = { after: args.after_seq, ...patience(kit, args.timeout_seconds) }
      const listening = listen(kit, service, room, request, hidden, context.signal)
      const page = await reporting(kit.clock, context.progress, args.timeout_seconds, listening)
      return {
        room_id: room.roomId,
        messages: page.messages
          .filter(message => !hidden.includes(message.sender))
          .map(message => read(message, room.key)),
        last_seq: page.messages.at(-1)?.seq ?? (page.lastSeq || args.after_seq),
        server_last_seq: page.lastSeq,
        timeout_seconds: args.timeout_seconds,
        active_room_changed: caller.activate(room),
      }
    },
    render(result) {
      const lines = result.messages.map(message =>
        line(message, '[undecryptable — wrong key or different room]'),
      )
      const body =
        lines.join('\n') ||
        `(no new messages — timed out after ${result.timeout_seconds}s, latest server seq ${result.server_last_seq})`
      return (
        `${body}\n\n(last_seq=${result.last_seq} — pass this as next after_seq)` +
        notice(result.room_id, result.active_room_changed)
      )
    },
  })

/** Waits until there is a message from somebody else; the own ones on the way are part of what is returned. */
async function listen(
  kit: ToolKit,
  service: SafebotService,
  { roomId }: RoomAddress,
  request: WaitRequest,
  hidden: readonly string[],
  signal: AbortSignal,
): Promise<Page> {
  const deadline = kit.clock.now() + request.timeoutMs
  let page = await service.wait(roomId, request, signal)
  while (page.messages.length > 0 && page.messages.every(message => hidden.includes(message.sender))) {
    const remaining = deadline - kit.clock.now()
    if (kit.contract.anyMessageEndsBlock || remaining <= 0 || signal.aborted) break
    const seen = page.messages
    const after = seen.at(-1)?.seq ?? request.after
    const more = await service.wait(roomId, { ...request, after, timeoutMs: remaining }, signal)
    page = { ...more, messages: [...seen, ...more.messages] }
    if (more.messages.length === 0) break
  }
  return page
}
