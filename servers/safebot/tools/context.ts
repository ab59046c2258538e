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

/** Seconds between progress reports. Both official SDK clients give up after 60 s without a report. */
const EVERY_SECONDS = 10

/** The name of each tool's request in error texts. */
const REQUESTS: Record<string, string> = {
  send_message: 'send',
  claim_task: 'claim',
  next_task: 'claim',
  ack_task: 'ack',
}

/** The parts of the service that the tools use. */
export interface ToolDeps {
  /** Returns the service of a room: this one, or one in another process. */
  serviceOf(room: RoomAddress): Promise<SafebotService>
  urls: RoomUrls
  clock: Clock
  /** Source of room ids, keys and nonces. */
  ids: IdSource
  contract: Contract
  /** Faults for the requests inside of a tool. Faults of the calls themselves are applied elsewhere. */
  faults: FaultTable
}

/**
 * Enters a room for an agent. Returns the service of the room.
 *
 * @throws Refusal if the agent's identity cannot be loaded
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

/** Returns the wait options of a tool. */
export function patience({ contract }: ToolDeps, timeoutSeconds: number): Patience {
  return {
    timeoutMs: timeoutSeconds * 1000,
    ifMissing: contract.waitsForMissingRoom ? 'wait' : 'return',
  }
}

/** Returns the text of a failed tool call: `<tool> failed: <message>`, with the service's answer. */
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
 * Waits for `work` and reports the seconds to a caller that asked for progress.
 *
 * @param total seconds that the work may take
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

/** Returns a stored message opened with the room's key. */
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
 * Returns a message as a line of text: `[seq=7] alice: hello`.
 *
 * @param unopened the text for a message that the key does not open
 */
export function line(message: ReadMessage, unopened: string): string {
  return `[seq=${message.seq}] ${message.sender}: ${message.text ?? unopened}`
}

/** Like {@link line}, with a tick for a verified sender. */
export function taskLine(message: ReadMessage): string {
  const sender = message.sender_verified ? `${message.sender} ✓` : message.sender
  return line({ ...message, sender }, '[undecryptable — wrong room key]')
}

/** Returns the note for a call that changes the active room. */
export function notice(roomId: string, changed: boolean): string {
  if (!changed) return ''
  return `\n\n(active room set to ${roomId} — stay with it until you are asked to change rooms)`
}
