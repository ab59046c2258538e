import type { HttpAnswer, Route } from '../../../shared/http/routes.js'
import { defined } from '../../../shared/util/defined.js'
import type { Vouching } from '../domain/local-service.js'
import { looseHandle, type StoredMessage } from '../domain/model.js'
import { badMessage } from '../domain/refusals.js'
import { MESSAGE_OVERHEAD } from '../domain/rooms.js'
import { BODY_LIMIT } from '../limits.js'
import type { Post } from '../service.js'
import { answer } from './answer.js'
import { type Fields, readFields } from './body.js'
import { addressOf, clamp, numberOf, type RestKit, roomOf, timeoutMsOf } from './context.js'

/** Messages in one answer of the transcript, at most. */
const MAX_TRANSCRIPT = 500

/** Status, transcript and wait: what reads a room and changes nothing in it. */
export function readingRoutes({ local }: RestKit): Route[] {
  return [
    {
      method: 'GET',
      path: '/api/rooms/:room/status',
      async run(call) {
        const roomId = roomOf(call)
        const status = await local.status(roomId)
        if (status === undefined) return answer(200, { exists: false, roomId })
        return answer(200, {
          exists: true,
          roomId,
          participants: status.participants,
          recent_count: status.recentCount,
          last_seq: status.lastSeq,
          age_seconds: status.ageSeconds,
          idle_seconds: status.idleSeconds,
          signed_only: status.signedOnly,
        })
      },
    },
    {
      method: 'GET',
      path: '/api/rooms/:room/transcript',
      async run(call) {
        const limit = clamp(numberOf(call, 'limit', 100), 1, MAX_TRANSCRIPT)
        const page = await local.transcript(roomOf(call), numberOf(call, 'after', 0), limit)
        if (!page.exists) return NOWHERE
        const messages = page.messages.map(readMessage)
        return answer(200, { messages, last_seq: page.lastSeq, count: messages.length, exists: true })
      },
    },
    {
      method: 'GET',
      path: '/api/rooms/:room/wait',
      async run(call) {
        const after = numberOf(call, 'after', 0)
        const request = { after, timeoutMs: timeoutMsOf(call), address: addressOf(call) }
        const page = await local.wait(roomOf(call), { ...request, ifMissing: 'return' }, call.signal)
        if (!page.exists) return NOWHERE
        // Who had to wait gets the event itself.
        const messages = page.messages.map(message =>
          page.woken ? { type: 'message', ...readMessage(message) } : readMessage(message),
        )
        return answer(200, { messages, last_seq: page.lastSeq })
      },
    },
  ]
}

/** There is no such room: that is no error, it has only not been opened. */
const NOWHERE: HttpAnswer = answer(200, { messages: [], last_seq: 0, exists: false })

/** The sender of a message that names none. */
const NOBODY = 'agent'

/** Posting a message. */
export function messageRoutes({ local }: RestKit): Route[] {
  return [
    {
      method: 'POST',
      path: '/api/rooms/:room/messages',
      bodyLimit: BODY_LIMIT,
      async run(call) {
        const fields = readFields(call)
        const roomId = roomOf(call)
        const { id, seq } = await local.postFrom(roomId, readPost(fields), {
          address: addressOf(call),
          vouching: readVouching(fields),
          lock: fields.signed_only === true,
        })
        return answer(200, { ok: true, id, seq })
      },
    },
  ]
}

/** @throws ServiceRefusal 400 for a field of the wrong type; what they hold is the domain's to judge */
function readPost({ ciphertext, nonce, sender, reply_to, ttl_ms }: Fields): Post {
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
 * Who vouches for the message: it is signed if it names both a handle and a signature.
 *
 * @returns undefined for an unsigned one; a signature of which nothing can be made is one that covers nothing
 */
function readVouching({ sender_handle, sender_ts, sender_nonce, sender_sig }: Fields): Vouching | undefined {
  if (!sender_handle || !sender_sig) return undefined
  return {
    handle: looseHandle(sender_handle) ?? '',
    signature: { ts: textOf(sender_ts), nonce: textOf(sender_nonce), sig: textOf(sender_sig) },
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : ''
}

/** A message as it is delivered. */
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
  return defined({ ttl_ms: ttlMs, reply_to: replyTo })
}
