import { hangUpSignal, type Operation, operation } from '../../../shared/http/operation.js'
import { defined } from '../../../shared/util/defined.js'
import type { Vouching } from '../domain/local-service.js'
import { looseHandle, type StoredMessage } from '../domain/model.js'
import { badMessage } from '../domain/refusals.js'
import { MESSAGE_OVERHEAD } from '../domain/rooms.js'
import type { Post } from '../service.js'
import {
  addressOf,
  type BodyFields,
  clamp,
  fieldsOf,
  numberOf,
  type RestContext,
  roomOf,
  timeoutMsOf,
} from './context.js'
import * as schema from './schemas.js'

/** Largest number of messages in one answer of the transcript. */
const MAX_TRANSCRIPT = 500

/** The routes that read a room: status, transcript and wait. */
export function readingOperations({ local }: RestContext): Operation[] {
  return [
    operation({
      method: 'GET',
      path: '/api/rooms/:roomId/status',
      summary: 'How a room is',
      params: schema.roomParams,
      answer: schema.roomStatusAnswer,
      refusals: [400],
      async run(request) {
        const roomId = roomOf(request)
        const status = await local.status(roomId)
        if (status === undefined) return { exists: false, roomId }
        return {
          exists: true,
          roomId,
          participants: status.participants,
          recent_count: status.recentCount,
          last_seq: status.lastSeq,
          age_seconds: status.ageSeconds,
          idle_seconds: status.idleSeconds,
          signed_only: status.signedOnly,
        }
      },
    }),
    operation({
      method: 'GET',
      path: '/api/rooms/:roomId/transcript',
      summary: 'The buffered messages of a room',
      params: schema.roomParams,
      query: schema.transcriptQuery,
      answer: schema.transcript,
      refusals: [400],
      async run(request) {
        const limit = clamp(numberOf(request, 'limit', 100), 1, MAX_TRANSCRIPT)
        const page = await local.transcript(roomOf(request), numberOf(request, 'after', 0), limit)
        if (!page.exists) return NOWHERE
        const messages = page.messages.map(toReadMessage)
        return { messages, last_seq: page.lastSeq, count: messages.length, exists: true }
      },
    }),
    operation({
      method: 'GET',
      path: '/api/rooms/:roomId/wait',
      summary: 'Messages, or the next one',
      params: schema.roomParams,
      query: schema.waitQuery,
      answer: schema.waited,
      refusals: [400, 429],
      async run(request, response) {
        const after = numberOf(request, 'after', 0)
        const wanted = { after, timeoutMs: timeoutMsOf(request), address: addressOf(request) }
        const page = await local.wait(
          roomOf(request),
          { ...wanted, ifMissing: 'return' },
          hangUpSignal(response),
        )
        if (!page.exists) return NOWHERE
        // A request that had to wait gets the event itself.
        const messages = page.messages.map(message =>
          page.woken ? { type: 'message' as const, ...toReadMessage(message) } : toReadMessage(message),
        )
        return { messages, last_seq: page.lastSeq }
      },
    }),
  ]
}

/** The answer for a room that has not been opened. It is not an error. */
const NOWHERE = { messages: [], last_seq: 0, exists: false as const }

/** The sender of a message without a sender. */
const NOBODY = 'agent'

/** The route that posts a message. */
export function messageOperations({ local }: RestContext): Operation[] {
  return [
    operation({
      method: 'POST',
      path: '/api/rooms/:roomId/messages',
      summary: 'Post a message',
      params: schema.roomParams,
      body: schema.messagePost,
      answer: schema.posted,
      refusals: [400, 401, 403, 413, 429, 503],
      async run(request) {
        const fields = fieldsOf(request)
        const roomId = roomOf(request)
        const { id, seq } = await local.postFrom(roomId, readPost(fields), {
          address: addressOf(request),
          vouching: readVouching(fields),
          lock: fields.signed_only === true,
        })
        return { ok: true as const, id, seq }
      },
    }),
  ]
}

/** @throws ServiceRefusal 400 for a field of the wrong type. The domain checks the values. */
function readPost({ ciphertext, nonce, sender, reply_to, ttl_ms }: BodyFields): Post {
  if (typeof ciphertext !== 'string') throw badMessage('ciphertext is missing')
  if (typeof nonce !== 'string') throw badMessage('nonce is missing')
  const named = sender ?? ''
  if (typeof named !== 'string') throw badMessage('sender is no text')
  const replyTo = reply_to ?? undefined
  if (replyTo !== undefined && typeof replyTo !== 'string') throw badMessage('reply_to is no text')
  const ttlMs = ttl_ms ?? undefined
  if (ttlMs !== undefined && typeof ttlMs !== 'number') throw badMessage('ttl_ms is no number')
  return {
    ciphertext,
    nonce,
    sender: named || NOBODY,
    ...defined({ replyTo, ttlMs }),
  }
}

/**
 * Reads the signature of a message. A message is signed if it has both a handle and a signature.
 *
 * @returns undefined for an unsigned message. An unreadable signature is returned and fails the check later.
 */
function readVouching({
  sender_handle,
  sender_ts,
  sender_nonce,
  sender_sig,
}: BodyFields): Vouching | undefined {
  if (!sender_handle || !sender_sig) return undefined
  return {
    handle: looseHandle(sender_handle) ?? '',
    signature: { ts: textOf(sender_ts), nonce: textOf(sender_nonce), sig: textOf(sender_sig) },
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
}

/** A message in an answer. */
interface DeliveredMessage {
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

/** Returns a message as a claim returns it. */
export function toClaimedMessage(message: StoredMessage): DeliveredMessage {
  const { seq, id, sender, senderVerified, ciphertext, nonce, ts } = message
  return { seq, id, sender, ciphertext, nonce, ts, sender_verified: senderVerified, ...options(message) }
}

/**
 * Returns a message as readers get it: with its size in the buffer, which the service exposes by accident.
 */
export function toReadMessage(message: StoredMessage): DeliveredMessage & { _bytes: number } {
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
  return defined({ ttl_ms: ttlMs, reply_to: replyTo })
}
