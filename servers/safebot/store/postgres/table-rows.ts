import { NONCE_KINDS } from '../../domain/nonces.js'
import { expiryOf, type StoredMessage } from '../../domain/room.js'
import type { SafebotTables } from '../store.js'
import { identityRow } from './stored-identities.js'
import { kept } from './text.js'

/** All that is to be kept, as rows: by the table's name. */
export function tableRows(
  { rooms, consumers, identities, nonces, holdings }: SafebotTables,
  replica: number,
): Record<string, object[]> {
  return {
    rooms: rooms.map(({ room, messages }) => ({
      id: room.id,
      created_at: room.createdAt,
      active_at: room.activeAt,
      last_seq: room.lastSeq,
      signed_only: room.signedOnly,
      ...buffered(messages),
      news: 0,
    })),
    messages: rooms.flatMap(({ room, messages }) => messages.map(message => messageRow(room.id, message))),
    consumers: consumers.map(({ roomId, handle, cursor, lease, labels }, at) => ({
      room_id: roomId,
      handle,
      cursor,
      claim_id: lease?.claimId,
      lease_seq: lease?.seq,
      claimed_at: lease?.claimedAt,
      lease_ms: lease?.ttlMs,
      labels: JSON.stringify(labels),
      // Those to come are numbered from 1 on, or further.
      claim_order: at - consumers.length,
    })),
    identities: identities.map(identityRow),
    used_nonces: NONCE_KINDS.flatMap(kind => nonces[kind].map(used => ({ kind, ...used }))),
    holds: holdRows(holdings, replica),
  }
}

function buffered(messages: readonly StoredMessage[]): object {
  const [oldest] = messages
  const expiry = messages.reduce(
    (least, message) => Math.min(least, expiryOf(message)),
    Number.POSITIVE_INFINITY,
  )
  return {
    buffered: messages.length,
    ciphertext_chars: messages.reduce((sum, { ciphertext }) => sum + ciphertext.length, 0),
    oldest_seq: oldest?.seq,
    oldest_ts: oldest?.ts,
    next_expiry: expiry === Number.POSITIVE_INFINITY ? undefined : expiry,
  }
}

function messageRow(roomId: string, message: StoredMessage): object {
  const { seq, id, sender, senderVerified, ciphertext, nonce, ts, replyTo, ttlMs } = message
  return {
    ...{ room_id: roomId, seq, id, sender: kept(sender), sender_verified: senderVerified },
    ...{ ciphertext, nonce, ts, reply_to: replyTo, ttl_ms: ttlMs },
  }
}

function holdRows({ held, released }: SafebotTables['holdings'], replica: number): object[] {
  const since = new Map(held)
  const left = new Map(released)
  return [...new Set([...since.keys(), ...left.keys()])].map(roomId => ({
    ...{ room_id: roomId, replica, since: since.get(roomId), released: left.get(roomId) },
  }))
}
