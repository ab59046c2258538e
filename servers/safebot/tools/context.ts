import type { Clock, Wakeup } from '../../../shared/clock/clock.js'
import type { Refusal } from '../../../shared/errors.js'
import type { FaultTable } from '../../../shared/faults/table.js'
import type { IdSource } from '../../../shared/ids.js'
import type { ToolContext } from '../../../shared/mcp/define-tool.js'
import type { Agent } from '../callers.js'
import type { Contract } from '../contract.js'
import type { StoredMessage } from '../domain/model.js'
import { ServiceRefusal } from '../domain/refusals.js'
import type { RoomAddress, RoomUrls } from '../room-url.js'
import { unseal } from '../room-url.js'
import type { Patience, SafebotService } from '../service.js'
import type { ReadMessage } from './schemas.js'

/** Well inside the 60 s after which both official SDK clients give up on a call that reports nothing. */
const EVERY_SECONDS = 10

/** What each tool calls the request it makes of the service. */
const REQUESTS: Record<string, string> = {
  send_message: 'send',
  claim_task: 'claim',
  next_task: 'claim',
  ack_task: 'ack',
}

/** What the tools work with. */
export interface ToolKit {
  /** The service that has a room: this one, or one far away. */
  serviceOf(room: RoomAddress): Promise<SafebotService>
  urls: RoomUrls
  clock: Clock
  /** For room ids, keys and nonces. */
  ids: IdSource
  contract: Contract
  /** Trouble for what a tool does inside; what the calls themselves meet is none of their business. */
  faults: FaultTable
}

/**
 * Lets an agent appear in the room it is about to work in; returns the service that has it.
 *
 * @throws Refusal if the agent's identity cannot be had
 */
export async function enterRoom(
  kit: ToolKit,
  agent: Agent,
  room: RoomAddress,
  name?: string,
): Promise<SafebotService> {
  const service = await kit.serviceOf(room)
  await agent.beSomebody()
  agent.enter(room, label => service.join(room.roomId, { handle: agent.handle, label }), name)
  return service
}

/** How long a tool waits, and what it does about a room that nobody has opened yet. */
export function patience({ contract }: ToolKit, timeoutSeconds: number): Patience {
  return {
    timeoutMs: timeoutSeconds * 1000,
    ifMissing: contract.waitsForMissingRoom ? 'wait' : 'return',
  }
}

/** A failed tool call in the client's words: `<tool> failed: <message>`, quoting the service's answer. */
export function refusalText(tool: string, refusal: Refusal): string {
  if (!(refusal instanceof ServiceRefusal)) return `${tool} failed: ${refusal.sentence}`
  const request = REQUESTS[tool]
  return request === undefined
    ? `${tool} failed: HTTP ${refusal.status}: ${JSON.stringify(refusal.body)}`
    : `${tool} failed: ${serviceSentence(request, refusal)} — ${refusal.hint}`
}

/** `ack failed: 409 {"error":…}`. */
export function serviceSentence(request: string, { status, body }: ServiceRefusal): string {
  return `${request} failed: ${status} ${JSON.stringify(body)}`
}

/**
 * Waits for `work`, reporting the seconds that have passed to a caller that asked for it.
 *
 * @param total seconds the work may take
 */
export async function reporting<T>(
  clock: Clock,
  progress: ToolContext<unknown>['progress'],
  total: number,
  work: Promise<T>,
): Promise<T> {
  if (progress === undefined) return work
  const start = clock.now()
  const report = (): Wakeup => {
    const passed = Math.round((clock.now() - start) / 1000)
    progress(passed, total, `listening, ${passed} of ${total} s`)
    return clock.wakeAt(clock.now() + EVERY_SECONDS * 1000, () => {
      next = report()
    })
  }
  let next = report()
  try {
    return await work
  } finally {
    next.cancel()
  }
}

/** A stored message, opened with the room's key. */
export function read(message: StoredMessage, key: Uint8Array): ReadMessage {
  return {
    seq: message.seq,
    id: message.id,
    sender: message.sender,
    sender_verified: message.senderVerified,
    ts: message.ts,
    text: unseal(key, message),
  }
}

/**
 * `[seq=7] alice: hello`, as a line of text.
 *
 * @param unopened what stands in place of a text the key does not open
 */
export function line(message: ReadMessage, unopened: string): string {
  return `[seq=${message.seq}] ${message.sender}: ${message.text ?? unopened}`
}

/** Like {@link line}, with a tick where the service vouches for the sender. */
export function taskLine(message: ReadMessage): string {
  const sender = message.sender_verified ? `${message.sender} ✓` : message.sender
  return line({ ...message, sender }, '[undecryptable — wrong room key]')
}

/** Said once, when a call makes another room the active one. */
export function notice(roomId: string, changed: boolean): string {
  if (!changed) return ''
  return `\n\n(active room set to ${roomId} — stay with it until you are asked to change rooms)`
}
