import type { StoredMessage } from '../domain/room.js'
import { unseal } from '../sealing.js'
import type { ReadMessage } from './schemas.js'

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
