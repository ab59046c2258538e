import { defined } from '../../../shared/util/defined.js'
import type { StoredMessage } from '../domain/room.js'
import { MESSAGE_OVERHEAD } from '../domain/rooms.js'

/** A message as it is delivered. */
export interface DeliveredMessage {
  seq: number
  id: string
  sender: string
  sender_verified: boolean
  ciphertext: string
  nonce: string
  ts: number
  ttl_ms?: number
  reply_to?: string
}

/** A message as a claim hands it out. */
export function claimedMessage(message: StoredMessage): DeliveredMessage {
  const { seq, id, sender, senderVerified, ciphertext, nonce, ts } = message
  return { seq, id, sender, ciphertext, nonce, ts, sender_verified: senderVerified, ...options(message) }
}

/** A message as it is read: with what it takes of the buffer, which the service lets out by accident. */
export function readMessage(message: StoredMessage): DeliveredMessage & { _bytes: number } {
  const { seq, id, sender, senderVerified, ciphertext, nonce, ts } = message
  return {
    seq,
    id,
    sender,
    sender_verified: senderVerified,
    ciphertext,
    nonce,
    ts,
    _bytes: ciphertext.length + MESSAGE_OVERHEAD,
    ...options(message),
  }
}

function options({ ttlMs, replyTo }: StoredMessage): { ttl_ms?: number; reply_to?: string } {
  return {
    ...defined({ ttl_ms: ttlMs, reply_to: replyTo }),
  }
}
