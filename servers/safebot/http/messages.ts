import { hangUpSignal, type Operation, operation } from '../../../shared/http/operation.js'
import { defined } from '../../../shared/util/objects.js'
import type { SenderSignature } from '../domain/local-service.js'
import { looseHandle, type StoredMessage } from '../domain/model.js'
import { badMessage } from '../domain/refusals.js'
import { MESSAGE_OVERHEAD } from '../domain/rooms.js'
import type { NewMessage } from '../service.js'
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

/** Maximum number of messages in one answer of the transcript. The service's number. */
const MAX_TRANSCRIPT = 500

/** Returns the routes that read a room: status, transcript and wait. */
export function readingOperations({ local }: RestContext): Operation[] {
  return [
    operation({
      method: 'GET',
      path: '/api/rooms/:roomId/status',
      summary: 'Get the status of a room',
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
      summary: 'Get the buffered messages of a room',
      params: schema.roomParams,
      query: schema.transcriptQuery,
      answer: schema.transcript,
      refusals: [400],
      async run(request) {
        const limit = clamp(numberOf(request, 'limit', 100), 1, MAX_TRANSCRIPT)
        const page = await local.transcript(roomOf(request), numberOf(request, 'after', 0), limit)
        if (!page.exists) return MISSING_ROOM
        const messages = page.messages.map(toReadMessage)
        return { messages, last_seq: page.lastSeq, count: messages.length, exists: true }
      },
    }),
    operation({
      method: 'GET',
      path: '/api/rooms/:roomId/wait',
      summary: 'Get new messages, or wait for one',
      params: schema.roomParams,
      query: schema.waitQuery,
      answer: schema.waited,
      refusals: [400, 429],
      async run(request, response) {
        const after = numberOf(request, 'after', 0)
        const waitRequest = { after, timeoutMs: timeoutMsOf(request), address: addressOf(request) }
        const page = await local.wait(
          roomOf(request),
          { ...waitRequest, ifMissing: 'return' },
          hangUpSignal(response),
        )
        if (!page.exists) return MISSING_ROOM
        // As in the real service, a request that has waited gets the message with the type of its event.
        const messages = page.messages.map(message =>
          page.woken ? { type: 'message' as const, ...toReadMessage(message) } : toReadMessage(message),
        )
        return { messages, last_seq: page.lastSeq }
      },
    }),
  ]
}

/** The answer for a room that does not exist. As in the real service, it is not an error. */
const MISSING_ROOM = { messages: [], last_seq: 0, exists: false as const }

/** The sender of a message that names none. */
const DEFAULT_SENDER = 'agent'

/** Returns the route that posts a message. */
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
        const { id, seq } = await local.postOverHttp(roomId, readPost(fields), {
          address: addressOf(request),
          senderSignature: readSenderSignature(fields),
          locksRoom: fields.signed_only === true,
        })
        return { ok: true as const, id, seq }
      },
    }),
  ]
}

/**
 * Reads a new message from a body.
 *
 * @throws ServiceRefusal 400 for a field of the wrong type. The domain checks the values.
 */
function readPost({ ciphertext, nonce, sender, reply_to, ttl_ms }: BodyFields): NewMessage {
  if (typeof ciphertext !== 'string') throw badMessage('ciphertext is missing or not a string')
  if (typeof nonce !== 'string') throw badMessage('nonce is missing or not a string')
  const named = sender ?? ''
  if (typeof named !== 'string') throw badMessage('sender is not a string')
  const replyTo = reply_to ?? undefined
  if (replyTo !== undefined && typeof replyTo !== 'string') throw badMessage('reply_to is not a string')
  const ttlMs = ttl_ms ?? undefined
  if (ttlMs !== undefined && typeof ttlMs !== 'number') throw badMessage('ttl_ms is not a number')
  return {
    ciphertext,
    nonce,
    sender: named || DEFAULT_SENDER,
    ...defined({ replyTo, ttlMs }),
  }
}

/**
 * Reads the signature of a message. As in the real service, a message without `sender_handle` or `sender_sig`
 * is unsigned.
 *
 * @returns the signature, which the domain checks. Undefined for an unsigned message.
 */
function readSenderSignature({
  sender_handle,
  sender_ts,
  sender_nonce,
  sender_sig,
}: BodyFields): SenderSignature | undefined {
  if (!sender_handle || !sender_sig) return undefined
  return {
    handle: looseHandle(sender_handle) ?? '',
    signature: {
      ts: signatureText(sender_ts),
      nonce: signatureText(sender_nonce),
      sig: signatureText(sender_sig),
    },
  }
}

/**
 * Converts a string or a number to text. Any other value becomes an empty text, which fails the check of the
 * signature.
 */
function signatureText(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
}

/** A message as the API sends it. */
interface MessageAnswer {
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

/** Converts a message to the form in which a claim returns it. */
export function toClaimedMessage(message: StoredMessage): MessageAnswer {
  const { seq, id, sender, senderVerified, ciphertext, nonce, ts } = message
  return {
    seq,
    id,
    sender,
    ciphertext,
    nonce,
    ts,
    sender_verified: senderVerified,
    ...optionalFields(message),
  }
}

/**
 * Converts a message to the form that transcript, wait and event streams send. It includes the message's size
 * in the buffer, `_bytes`, because the real service sends this internal field, too.
 */
export function toReadMessage(message: StoredMessage): MessageAnswer & { _bytes: number } {
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
    ...optionalFields(message),
  }
}

function optionalFields({ ttlMs, replyTo }: StoredMessage): { ttl_ms?: number; reply_to?: string } {
  return defined({ ttl_ms: ttlMs, reply_to: replyTo })
}
