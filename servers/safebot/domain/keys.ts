import { createPublicKey, type KeyObject, verify } from 'node:crypto'

/** Keys kept in memory. Beyond that, the oldest is created again. */
const MAX_READY = 10_000

/** Ed25519 public keys in memory. Creating a key from its bytes costs a quarter of a verification. */
export class PublicKeys {
  readonly #ready = new Map<string, KeyObject>()

  /**
   * Returns whether `signature` is the signature of `text` with a key.
   *
   * @param key base64 of 32 bytes
   * @param signature base64
   */
  verifies(key: string, text: string, signature: string): boolean {
    return verify(null, Buffer.from(text), this.#of(key), Buffer.from(signature, 'base64'))
  }

  #of(key: string): KeyObject {
    const known = this.#ready.get(key)
    if (known !== undefined) return known
    const x = Buffer.from(key, 'base64').toString('base64url')
    const made = createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x } })
    this.#ready.set(key, made)
    if (this.#ready.size > MAX_READY) {
      const [earliest] = this.#ready.keys()
      if (earliest !== undefined) this.#ready.delete(earliest)
    }
    return made
  }
}

/** Returns whether a text is canonical base64 with padding. It may mix both alphabets. */
export function isCanonicalBase64(text: string): boolean {
  if (text === '' || text.length % 4 !== 0) return false
  return inStandardAlphabet(text) === text.replaceAll('-', '+').replaceAll('_', '/')
}

/** Returns a base64 text in the standard alphabet. All spellings of the same bytes give the same text. */
export function inStandardAlphabet(text: string): string {
  return Buffer.from(text, 'base64').toString('base64')
}

/** Returns the number of bytes in a base64 text. Padding may be missing, and other characters may follow. */
export function decodedLength(text: string): number {
  return Buffer.from(text, 'base64').length
}

/** Returns whether a value is canonical base64 of exactly that many bytes. */
export function isBase64Of(bytes: number, value: unknown): value is string {
  return typeof value === 'string' && isCanonicalBase64(value) && decodedLength(value) === bytes
}
