import type { Route } from '../../../shared/http/routes.js'
import { looseHandle } from '../domain/identity.js'
import { badMessage } from '../domain/refusals.js'
import type { Vouching } from '../domain/relay.js'
import type { Post } from '../service.js'
import { json } from './answer.js'
import { addressOf, type RestKit, roomOf } from './context.js'
import { type Fields, MAX_BODY_BYTES, readFields } from './json-body.js'

/** The sender of a message that names none. */
const NOBODY = 'agent'

/** Posting a message. */
export function messageRoutes({ relay }: RestKit): Route[] {
  return [
    {
      method: 'POST',
      path: '/api/rooms/:room/messages',
      bodyLimit: MAX_BODY_BYTES,
      async run(call) {
        const fields = readFields(call)
        const roomId = roomOf(call)
        const { id, seq } = await relay.postFrom(roomId, readPost(fields), {
          address: addressOf(call),
          vouching: readVouching(fields),
          lock: fields.signed_only === true,
        })
        return json(200, { ok: true, id, seq })
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
    ...{ ciphertext, nonce, sender: named || NOBODY },
    ...(replyTo !== undefined && { replyTo }),
    ...(ttlMs !== undefined && { ttlMs }),
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
