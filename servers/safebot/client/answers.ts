import { z } from 'zod'
import { defined } from '../../../shared/util/objects.js'
import type { StoredMessage } from '../domain/model.js'
import * as schema from '../http/schemas.js'
import type { Claim, MessagePage, RoomStatus } from '../service.js'

// The schemas check the answers of the service's HTTP API and convert them to the types of `SafebotService`.
// Unknown fields are ignored.

export { acknowledged, health, posted } from '../http/schemas.js'

/**
 * A message with the fields that a claim returns. Messages of a transcript or a wait have more fields, which
 * the tools do not need.
 */
const message = schema.claimedMessage.transform(
  ({ sender_verified, ttl_ms, reply_to, ...same }): StoredMessage => ({
    ...same,
    ts: Math.floor(same.ts),
    senderVerified: sender_verified,
    ...defined({ ttlMs: ttl_ms, replyTo: reply_to }),
  }),
)

/** The answer of a transcript or of a wait. */
export const page = z
  .object({ messages: z.array(message), last_seq: z.int(), exists: z.boolean().default(true) })
  .transform(
    ({ messages, last_seq, exists }): MessagePage => ({ exists, messages, lastSeq: last_seq, woken: false }),
  )

/** The status of a room. Undefined if the room does not exist. */
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

/** The answer of a claim, with or without a task. */
export const claimAnswer = schema.claim.extend({ message: message.optional() }).transform(
  ({ exists = true, claim_id, message, cursor, last_seq }): Claim => ({
    exists,
    task: claim_id === undefined || message === undefined ? undefined : { claimId: claim_id, message },
    cursor,
    lastSeq: last_seq,
  }),
)

/** Accepts every answer. */
export const anyAnswer = z.unknown()
