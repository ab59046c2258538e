import type { Post } from '../service.js'
import { badMessage } from './refusals.js'
import { MAX_CIPHERTEXT_CHARS, MAX_SENDER_CHARS } from './room.js'

const NONCE_BYTES = 24

/** @throws ServiceRefusal 400 `bad message`, with what is wrong */
export function checkPost({ ciphertext, nonce, sender }: Post): void {
  if (ciphertext.length > MAX_CIPHERTEXT_CHARS) {
    throw badMessage(
      `the text seals to ${ciphertext.length} characters and ${MAX_CIPHERTEXT_CHARS} fit (98,288 bytes of UTF-8): send it in parts`,
    )
  }
  if (!isCanonicalBase64(ciphertext)) throw badMessage('ciphertext is not canonical base64')
  if (!isCanonicalBase64(nonce) || Buffer.from(nonce, 'base64').length !== NONCE_BYTES) {
    throw badMessage(`nonce is not canonical base64 of ${NONCE_BYTES} bytes`)
  }
  if (sender.length > MAX_SENDER_CHARS) {
    throw badMessage(`sender has ${sender.length} characters: ${MAX_SENDER_CHARS} is the most`)
  }
}

/** Whether a text is what its bytes would be written as, in the standard or the URL-safe alphabet. */
export function isCanonicalBase64(text: string): boolean {
  if (text === '') return false
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text || bytes.toString('base64url') === text
}
