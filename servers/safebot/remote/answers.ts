import { z } from 'zod'
import type { StoredMessage } from '../domain/room.js'
import type { Acknowledgement, Claim, Page, RoomStatus } from '../service.js'

/** The answers of the service's HTTP API, as far as the tools need them; what else is in them is passed over. */

const message = z
  .object({
    seq: z.int(),
    id: z.string(),
    sender: z.string(),
    sender_verified: z.boolean().default(false),
    ciphertext: z.string(),
    nonce: z.string(),
    ts: z.number(),
    ttl_ms: z.number().optional(),
    reply_to: z.string().optional(),
  })
  .transform(
    ({ seq, id, sender, sender_verified, ciphertext, nonce, ts, ttl_ms, reply_to }): StoredMessage => ({
      ...{ seq, id, sender, senderVerified: sender_verified, ciphertext, nonce, ts: Math.floor(ts) },
      ...(ttl_ms !== undefined && { ttlMs: ttl_ms }),
      ...(reply_to !== undefined && { replyTo: reply_to }),
    }),
  )

export const posted = z.object({ id: z.string(), seq: z.int() })

export const page = z
  .object({ messages: z.array(message), last_seq: z.int(), exists: z.boolean().default(true) })
  .transform(
    ({ messages, last_seq, exists }): Page => ({ exists, messages, lastSeq: last_seq, woken: false }),
  )

export const status = z
  .union([
    z.object({ exists: z.literal(false) }),
    z.object({
      participants: z.int(),
      recent_count: z.int(),
      last_seq: z.int(),
      age_seconds: z.int(),
      idle_seconds: z.int(),
      signed_only: z.boolean().default(false),
    }),
  ])
  .transform((answer): RoomStatus | undefined =>
    'exists' in answer
      ? undefined
      : {
          participants: answer.participants,
          recentCount: answer.recent_count,
          lastSeq: answer.last_seq,
          ageSeconds: answer.age_seconds,
          idleSeconds: answer.idle_seconds,
          signedOnly: answer.signed_only,
        },
  )

export const claim = z
  .object({
    exists: z.boolean().default(true),
    claim_id: z.string().optional(),
    message: message.optional(),
    cursor: z.int().default(0),
    last_seq: z.int().default(0),
  })
  .transform(
    ({ exists, claim_id, message, cursor, last_seq }): Claim => ({
      exists,
      held: claim_id === undefined || message === undefined ? undefined : { claimId: claim_id, message },
      cursor,
      lastSeq: last_seq,
    }),
  )

export const acknowledgement: z.ZodType<Acknowledgement> = z.object({
  advanced: z.boolean(),
  cursor: z.int(),
})

/** Of `/api/health`. */
export const health = z.object({ ts: z.number() })

/** Of whatever is only to have been done. */
export const anything = z.unknown()
