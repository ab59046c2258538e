import { z } from 'zod'
import { defined } from '../../../shared/util/defined.js'
import type { StoredMessage } from '../domain/model.js'
import * as schema from '../http/schemas.js'
import type { Claim, Page, RoomStatus } from '../service.js'

/**
 * What the answers of the service's HTTP API, as they are described, are to the tools; what else is in them
 * is passed over.
 */

export { acknowledged, health, posted } from '../http/schemas.js'

/** As a claim has it: what a reader is told beside that is of no use here. */
const message = schema.claimedMessage.transform(
  ({ sender_verified, ttl_ms, reply_to, ...same }): StoredMessage => ({
    ...same,
    ts: Math.floor(same.ts),
    senderVerified: sender_verified,
    ...defined({ ttlMs: ttl_ms, replyTo: reply_to }),
  }),
)

/** Of a transcript, and of a wait. */
export const page = z
  .object({ messages: z.array(message), last_seq: z.int(), exists: z.boolean().default(true) })
  .transform(
    ({ messages, last_seq, exists }): Page => ({ exists, messages, lastSeq: last_seq, woken: false }),
  )

export const status = z
  .union([
    schema.roomStatus.extend({ exists: z.literal(false) }),
    schema.roomStatus.required().extend({ exists: z.literal(true) }),
  ])
  .transform((answer): RoomStatus | undefined =>
    answer.exists
      ? {
          participants: answer.participants,
          recentCount: answer.recent_count,
          lastSeq: answer.last_seq,
          ageSeconds: answer.age_seconds,
          idleSeconds: answer.idle_seconds,
          signedOnly: answer.signed_only,
        }
      : undefined,
  )

export const claim = schema.claim.extend({ message: message.optional() }).transform(
  ({ exists = true, claim_id, message, cursor, last_seq }): Claim => ({
    exists,
    held: claim_id === undefined || message === undefined ? undefined : { claimId: claim_id, message },
    cursor,
    lastSeq: last_seq,
  }),
)

/** Of whatever is only to have been done. */
export const anything = z.unknown()
