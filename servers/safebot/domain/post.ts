import type { Post } from '../service.js'
import { isBase64Of, isCanonicalBase64 } from './base64.js'
import { badMessage } from './refusals.js'
import { MAX_CIPHERTEXT_CHARS, MAX_SENDER_CHARS } from './room.js'

const NONCE_BYTES = 24
const MESSAGE_ID = /^[A-Za-z0-9_-]{8,64}$/

/** How long a message may ask to be kept; 0 stands for as long as any. */
const TTL_MS = { min: 30_000, max: 366 * 24 * 60 * 60_000 } as const

/** @throws ServiceRefusal 400 `bad message`, with what is wrong */
export function checkPost({ ciphertext, nonce, sender, replyTo, ttlMs }: Post): void {
  if (ciphertext.length > MAX_CIPHERTEXT_CHARS) {
    throw badMessage(
      `the text seals to ${ciphertext.length} characters and ${MAX_CIPHERTEXT_CHARS} fit (98,288 bytes of UTF-8): send it in parts`,
    )
  }
  if (!isCanonicalBase64(ciphertext)) throw badMessage('ciphertext is not canonical base64')
  if (!isBase64Of(NONCE_BYTES, nonce)) {
    throw badMessage(`nonce is not canonical base64 of ${NONCE_BYTES} bytes`)
  }
  if (sender.length > MAX_SENDER_CHARS) {
    throw badMessage(`sender has ${sender.length} characters: ${MAX_SENDER_CHARS} is the most`)
  }
  if (replyTo !== undefined && !MESSAGE_ID.test(replyTo)) {
    throw badMessage('reply_to is not 8 to 64 of A-Z a-z 0-9 _ -')
  }
  if (ttlMs !== undefined && ttlMs !== 0 && !(ttlMs >= TTL_MS.min && ttlMs <= TTL_MS.max)) {
    throw badMessage(`ttl_ms is ${ttlMs}: it is 0, or from ${TTL_MS.min} to ${TTL_MS.max}`)
  }
}
