import { z } from 'zod'
import { defined } from '../../../shared/util/defined.js'
import type { StoredMessage } from '../domain/model.js'
import * as schema from '../http/schemas.js'
import type { Claim, Page, RoomStatus } from '../service.js'

/** Converts the answers of the service's HTTP API to the types of the tools. Other fields are ignored. */

export { acknowledged, health, posted } from '../http/schemas.js'

/** A message as in a claim. The tools do not use the fields of a reader. */
const message = schema.claimedMessage.transform(
  ({ sender_verified, ttl_ms, reply_to, ...same }): StoredMessage => ({
    ...same,
    ts: Math.floor(same.ts),
    senderVerified: sender_verified,
    ...defined({ ttlMs: ttl_ms, replyTo: reply_to }),
  }),
)

/** A page of a transcript or of a wait. */
export const page = z
  .object({ messages: z.array(message), last_seq: z.int(), exists: z.boolean().default(true) })
  .transform(
    ({ messages, last_seq, exists }): Page => ({ exists, messages, lastSeq: last_seq, woken: false }),
  )

export const status = z
  .union([
    schema.roomStatusAnswer.extend({ exists: z.literal(false) }),
    schema.roomStatusAnswer.required().extend({ exists: z.literal(true) }),
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

export const claimAnswer = schema.claim.extend({ message: message.optional() }).transform(
  ({ exists = true, claim_id, message, cursor, last_seq }): Claim => ({
    exists,
    held: claim_id === undefined || message === undefined ? undefined : { claimId: claim_id, message },
    cursor,
    lastSeq: last_seq,
  }),
)

/** Accepts any answer. */
export const anything = z.unknown()
