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
import type { SafebotService, WaitOptions } from '../service.js'
import type { ReadMessage } from './schemas.js'

/**
 * Seconds between two progress reports. The official SDK clients cancel a call after 60 s without a report.
 */
const PROGRESS_INTERVAL_SECONDS = 10

/** The name of the HTTP request that each tool sends, for error texts. As in the real client. */
const REQUEST_NAMES: Record<string, string> = {
  send_message: 'send',
  claim_task: 'claim',
  next_task: 'claim',
  ack_task: 'ack',
}

/** The parts of the server that the tools use. */
export interface ToolDeps {
  /** Returns the service that has a room: the one in this process, or the client of another one. */
  serviceOf(room: RoomAddress): Promise<SafebotService>
  urls: RoomUrls
  clock: Clock
  /** Source of room ids, keys and nonces. */
  ids: IdSource
  contract: Contract
  /** Faults for the ack inside of `next_task`. Faults of tool calls are applied before a tool runs. */
  faults: FaultTable
}

/**
 * Makes an agent present in a room, with its identity loaded. Returns the service that has the room.
 *
 * @param name the agent's new label in the room. Default: the label does not change
 * @throws Refusal `identity_damaged` or `identity_unreachable`
 */
export async function enterRoom(
  deps: ToolDeps,
  agent: Agent,
  room: RoomAddress,
  name?: string,
): Promise<SafebotService> {
  const service = await deps.serviceOf(room)
  await agent.ensureIdentity()
  agent.enter(room, label => service.join(room.roomId, { handle: agent.handle, label }), name)
  return service
}

/** Returns the wait options of a tool call, under the server's contract. */
export function waitOptions({ contract }: ToolDeps, timeoutSeconds: number): WaitOptions {
  return {
    timeoutMs: timeoutSeconds * 1000,
    ifMissing: contract.waitsForMissingRoom ? 'wait' : 'return',
  }
}

/**
 * Returns the text of a failed tool call: `<tool> failed: <message>`. For a refusal of the service, the
 * message has its status and body.
 */
export function refusalText(tool: string, refusal: Refusal): string {
  if (!(refusal instanceof ServiceRefusal)) return `${tool} failed: ${refusal.sentence}`
  const request = REQUEST_NAMES[tool]
  return request === undefined
    ? `${tool} failed: HTTP ${refusal.status}: ${JSON.stringify(refusal.body)}`
    : `${tool} failed: ${serviceErrorText(request, refusal)} — ${refusal.hint}`
}

/** Returns a refusal as the real client words it, e.g. `ack failed: 409 {"error":…}`. */
export function serviceErrorText(request: string, { status, body }: ServiceRefusal): string {
  return `${request} failed: ${status} ${JSON.stringify(body)}`
}

/**
 * Waits for `work`. Meanwhile reports the elapsed seconds, if the caller has asked for progress.
 *
 * @param totalSeconds maximum duration of the work
 * @throws the error of `work`
 */
export async function withProgress<T>(
  clock: Clock,
  progress: ToolContext<unknown>['progress'],
  totalSeconds: number,
  work: Promise<T>,
): Promise<T> {
  if (progress === undefined) return work
  const start = clock.now()
  const report = (): Wakeup => {
    const passed = Math.round((clock.now() - start) / 1000)
    progress(passed, totalSeconds, `listening, ${passed} of ${totalSeconds} s`)
    return clock.wakeAt(clock.now() + PROGRESS_INTERVAL_SECONDS * 1000, () => {
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

/**
 * Decrypts a message for the result of a tool.
 *
 * @param key room key, 32 bytes
 */
export function openMessage(message: StoredMessage, key: Uint8Array): ReadMessage {
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
 * Returns a message as one line of text, e.g. `[seq=7] alice: hello`.
 *
 * @param undecryptable the text for a message that the key does not decrypt
 */
export function messageLine(message: ReadMessage, undecryptable: string): string {
  return `[seq=${message.seq}] ${message.sender}: ${message.text ?? undecryptable}`
}

/** Returns a task like {@link messageLine} does, with a tick after a verified sender. */
export function taskLine(message: ReadMessage): string {
  const sender = message.sender_verified ? `${message.sender} ✓` : message.sender
  return messageLine({ ...message, sender }, '[undecryptable — wrong room key]')
}

/** Returns the note at the end of a result when the call has changed the active room. */
export function activeRoomNotice(roomId: string, changed: boolean): string {
  if (!changed) return ''
  return `\n\n(active room set to ${roomId} — stay with it until you are asked to change rooms)`
}
