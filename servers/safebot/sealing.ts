import { xsalsa20poly1305 } from '@noble/ciphers/salsa.js'
import type { IdSource } from '../../shared/ids.js'

/** Bytes of a room key. */
export const KEY_BYTES = 32

/** NaCl's secretbox takes nonces of this size. */
const NONCE_BYTES = 24

export interface Sealed {
  /** Standard base64. */
  ciphertext: string
  /** Standard base64. */
  nonce: string
}

/** Seals a text with a room's key, as NaCl `secretbox` (XSalsa20-Poly1305) does. */
export function seal(key: Uint8Array, text: string, ids: IdSource): Sealed {
  const nonce = ids.bytes(NONCE_BYTES)
  const sealed = xsalsa20poly1305(key, nonce).encrypt(Buffer.from(text, 'utf8'))
  return { ciphertext: Buffer.from(sealed).toString('base64'), nonce: nonce.toString('base64') }
}

/** The text of a sealed message; null if this key does not open it. */
export function unseal(key: Uint8Array, { ciphertext, nonce }: Sealed): string | null {
  try {
    const opened = xsalsa20poly1305(key, Buffer.from(nonce, 'base64')).decrypt(
      Buffer.from(ciphertext, 'base64'),
    )
    return Buffer.from(opened).toString('utf8')
  } catch {
    // A wrong key, and a message somebody made up, are the same to the reader: it cannot be opened.
    return null
  }
}
