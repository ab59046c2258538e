import { z } from 'zod'
import { defineTool, type ToolContext } from '../../../shared/mcp/define-tool.js'
import type { Agent } from '../callers.js'
import { ServiceRefusal } from '../domain/refusals.js'
import type { RoomAddress } from '../room-url.js'
import { seal } from '../room-url.js'
import type { MessagePage, NewMessage, SafebotService, WaitRequest } from '../service.js'
import {
  activeRoomNotice,
  enterRoom,
  messageLine,
  openMessage,
  type ToolDeps,
  waitOptions,
  withProgress,
} from './context.js'
import {
  activeRoomChanged,
  afterSeq,
  label,
  readMessage,
  roomUrl,
  timeoutSeconds,
  wholeNumberInput,
} from './schemas.js'

export const waitForMessages = (deps: ToolDeps) =>
  defineTool({
    name: 'wait_for_messages',
    title: 'Wait for messages',
    description:
      'Returns the messages after after_seq, or waits for a new one. ' +
      'The messages stay available to all readers. ' +
      'Use claim_task and ack_task for work that must not be lost or done twice.',
    input: z.strictObject({
      url: roomUrl,
      after_seq: afterSeq,
      timeout_seconds: timeoutSeconds(20),
      include_self: z
        .boolean({ error: 'true or false' })
        .default(false)
        .describe('Whether to include your own messages'),
      name: label,
    }),
    output: z.strictObject({
      room_id: z.string(),
      messages: z.array(readMessage),
      last_seq: z.int().describe('Pass this number as after_seq in the next call'),
      server_last_seq: z.int(),
      timeout_seconds: z.int(),
      active_room_changed: activeRoomChanged,
    }),
    hints: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: true },
    async run(args, context: ToolContext<Agent>) {
      const room = deps.urls.parse(args.url)
      const { caller } = context
      const service = await enterRoom(deps, caller, room, args.name)
      const hiddenSenders = args.include_self ? [] : [caller.label(room)]
      const request = { after: args.after_seq, ...waitOptions(deps, args.timeout_seconds) }
      const listening = waitForOthers(deps, { service, room, request, hiddenSenders, signal: context.signal })
      const page = await withProgress(deps.clock, context.progress, args.timeout_seconds, listening)
      return {
        room_id: room.roomId,
        messages: page.messages
          .filter(message => !hiddenSenders.includes(message.sender))
          .map(message => openMessage(message, room.key)),
        last_seq: page.messages.at(-1)?.seq ?? (page.lastSeq || args.after_seq),
        server_last_seq: page.lastSeq,
        timeout_seconds: args.timeout_seconds,
        active_room_changed: caller.activate(room),
      }
    },
    render(result) {
      const lines = result.messages.map(message =>
        messageLine(message, '[undecryptable — wrong key or different room]'),
      )
      const body =
        lines.join('\n') ||
        `(no new messages — timed out after ${result.timeout_seconds}s, ` +
          `latest server seq ${result.server_last_seq})`
      return (
        `${body}\n\n(last_seq=${result.last_seq} — pass this as next after_seq)` +
        activeRoomNotice(result.room_id, result.active_room_changed)
      )
    },
  })

/** The arguments of {@link waitForOthers}. */
interface OthersRequest {
  service: SafebotService
  room: RoomAddress
  request: WaitRequest
  /** The labels of the agent, whose messages do not end the wait. Empty: every message ends the wait. */
  hiddenSenders: readonly string[]
  signal: AbortSignal
}

/**
 * Waits for a message of another sender. The result also has the agent's own messages that arrived before it.
 */
async function waitForOthers(
  deps: ToolDeps,
  { service, room: { roomId }, request, hiddenSenders, signal }: OthersRequest,
): Promise<MessagePage> {
  const deadline = deps.clock.now() + request.timeoutMs
  let page = await service.wait(roomId, request, signal)
  while (page.messages.length > 0 && page.messages.every(message => hiddenSenders.includes(message.sender))) {
    const remaining = deadline - deps.clock.now()
    if (deps.contract.anyMessageEndsBlock || remaining <= 0 || signal.aborted) break
    const seen = page.messages
    const after = seen.at(-1)?.seq ?? request.after
    const more = await service.wait(roomId, { ...request, after, timeoutMs: remaining }, signal)
    page = { ...more, messages: [...seen, ...more.messages] }
    if (more.messages.length === 0) break
  }
  return page
}

export const sendMessage = (deps: ToolDeps) =>
  defineTool({
    name: 'send_message',
    title: 'Send a message',
    description:
      'Encrypts a text with the room key and posts it. The first message opens the room. ' +
      'The text may have at most 98,288 bytes of UTF-8.',
    input: z.strictObject({
      url: roomUrl,
      text: z.string({ error: 'a text' }).describe('Text of the message. It is encrypted before it is sent'),
      name: label,
    }),
    output: z.strictObject({
      room_id: z.string(),
      label: z.string().describe('The sender that the other members see'),
      server_id: z.string().describe('UUID of the message'),
      seq: z.int(),
    }),
    hints: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
    async run({ url, text, name }, { caller }: { caller: Agent }) {
      const room = deps.urls.parse(url)
      const service = await enterRoom(deps, caller, room, name)
      const sender = caller.label(room)
      const post = { ...seal(room.key, text, deps.ids), sender }
      const { id, seq } = await postSignedIfRequired(service, room.roomId, post, caller.handle)
      caller.recordSent(room)
      caller.activate(room)
      return { room_id: room.roomId, label: sender, server_id: id, seq }
    },
    render: result => `sent as "${result.label}". server_id=${result.server_id} seq=${result.seq}`,
  })

/**
 * Posts a message without a signature. If the room accepts only signed messages (403), posts it again with
 * one.
 */
async function postSignedIfRequired(
  service: SafebotService,
  roomId: string,
  post: NewMessage,
  handle: string,
): Promise<{ id: string; seq: number }> {
  try {
    return await service.post(roomId, post)
  } catch (error) {
    if (error instanceof ServiceRefusal && error.status === 403) return service.post(roomId, post, handle)
    throw error
  }
}

/** Maximum number of messages in one transcript. The real client's number. */
const MAX_MESSAGES = 500

export const getTranscript = (deps: ToolDeps) =>
  defineTool({
    name: 'get_transcript',
    title: 'Get the transcript',
    description:
      'Returns the buffered messages after after_seq, oldest first. ' +
      'A room keeps at most 2000 messages, for at most 24 hours.',
    input: z.strictObject({
      url: roomUrl,
      after_seq: afterSeq,
      limit: wholeNumberInput(`a whole number from 1 to ${MAX_MESSAGES}`, 1, MAX_MESSAGES)
        .default(100)
        .describe(`Maximum number of messages, 1 to ${MAX_MESSAGES}. The oldest are returned`),
    }),
    output: z.strictObject({
      room_id: z.string(),
      messages: z.array(readMessage),
      last_seq: z.int().describe('seq of the last message in the room, which may not be in this result'),
      after_seq: z.int(),
      active_room_changed: activeRoomChanged,
    }),
    hints: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: true },
    async run({ url, after_seq, limit }, { caller }: { caller: Agent }) {
      const room = deps.urls.parse(url)
      const service = await deps.serviceOf(room)
      const page = await service.transcript(room.roomId, after_seq, limit)
      return {
        room_id: room.roomId,
        messages: page.messages.map(message => openMessage(message, room.key)),
        last_seq: page.lastSeq,
        after_seq,
        active_room_changed: caller.activate(room),
      }
    },
    render(result) {
      const { length } = result.messages
      const lines = result.messages.map(message => messageLine(message, '[undecryptable]'))
      const body =
        length === 0
          ? `(empty — no messages in the buffer after seq ${result.after_seq})`
          : `${lines.join('\n')}\n\n(last_seq=${result.last_seq}; ${length} of ${length} returned)`
      return body + activeRoomNotice(result.room_id, result.active_room_changed)
    },
  })
