import { defined } from '../../../../shared/util/defined.js'
import { Consumer, type Lease } from '../../domain/consumer.js'
import type { Room, StoredMessage } from '../../domain/model.js'

/** A room and what it knows of its buffer, as its table has it. */
export interface RoomRow {
  room_id: string
  created_at: number
  active_at: number
  last_seq: number
  signed_only: boolean
  buffered: number
  ciphertext_chars: number
  oldest_seq: number | null
  oldest_ts: number | null
  next_expiry: number | null
  news: number
}

export interface MessageRow {
  seq: number
  id: string
  sender: string
  sender_verified: boolean
  ciphertext: string
  nonce: string
  ts: number
  reply_to: string | null
  ttl_ms: number | null
}

export interface ConsumerRow {
  handle: string
  cursor: number
  claim_id: string | null
  lease_seq: number | null
  claimed_at: number | null
  lease_ms: number | null
  labels: string
}

export function readRoom(row: RoomRow): Room {
  return {
    id: row.room_id,
    createdAt: row.created_at,
    activeAt: row.active_at,
    lastSeq: row.last_seq,
    signedOnly: row.signed_only,
  }
}

export function readMessage(row: MessageRow): StoredMessage {
  return {
    seq: row.seq,
    id: row.id,
    sender: shown(row.sender),
    senderVerified: row.sender_verified,
    ciphertext: row.ciphertext,
    nonce: row.nonce,
    ts: row.ts,
    ...defined({ replyTo: row.reply_to ?? undefined, ttlMs: row.ttl_ms ?? undefined }),
  }
}

/** The parameters of a message's row, behind its room's id. */
export function messageValues(message: StoredMessage): unknown[] {
  const { seq, id, sender, senderVerified, ciphertext, nonce, ts, replyTo = null, ttlMs = null } = message
  return [seq, id, kept(sender), senderVerified, ciphertext, nonce, ts, replyTo, ttlMs]
}

export function readConsumer(roomId: string, row: ConsumerRow): Consumer {
  const labels: string[] = JSON.parse(row.labels)
  return new Consumer({ handle: row.handle, roomId, cursor: row.cursor, lease: readLease(row), labels })
}

function readLease({ claim_id, lease_seq, claimed_at, lease_ms }: ConsumerRow): Lease | null {
  if (claim_id === null || lease_seq === null || claimed_at === null || lease_ms === null) return null
  return { claimId: claim_id, seq: lease_seq, claimedAt: claimed_at, ttlMs: lease_ms }
}

/** The parameters of a consumer's row. */
export function consumerValues({
  roomId,
  handle,
  cursor,
  lease,
  labels,
}: Pick<Consumer, 'roomId' | 'handle' | 'cursor' | 'lease' | 'labels'>): unknown[] {
  const { claimId = null, seq = null, claimedAt = null, ttlMs = null } = lease ?? {}
  return [roomId, handle, cursor, claimId, seq, claimedAt, ttlMs, JSON.stringify(labels)]
}

/** What PostgreSQL's text cannot hold, or would not give back as it was, and what stands for it. */
const UNFIT = /[\0\\"\ud800-\udfff]/

/** A text as it is kept: any that a caller may send. Different ones are kept differently. */
export function kept(text: string): string {
  return UNFIT.test(text) ? JSON.stringify(text).slice(1, -1) : text
}

/** A text that was kept. */
export function shown(text: string): string {
  return text.includes('\\') ? String(JSON.parse(`"${text}"`)) : text
}
