import { createPublicKey, type KeyObject, verify } from 'node:crypto'

/** Maximum number of keys in the cache. Above it, the key that was added first is removed. */
const MAX_CACHED_KEYS = 10_000

/**
 * Verifies Ed25519 signatures. Caches the key objects, because creating one takes a quarter of the time of a
 * verification.
 */
export class PublicKeys {
  readonly #cache = new Map<string, KeyObject>()

  /**
   * Returns whether a signature of `text` was made with a key.
   *
   * @param key base64 of the 32 bytes of a public key
   * @param signature base64 of 64 bytes
   */
  verifies(key: string, text: string, signature: string): boolean {
    return verify(null, Buffer.from(text), this.#keyObject(key), Buffer.from(signature, 'base64'))
  }

  #keyObject(key: string): KeyObject {
    const known = this.#cache.get(key)
    if (known !== undefined) return known
    const x = Buffer.from(key, 'base64').toString('base64url')
    const keyObject = createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x } })
    this.#cache.set(key, keyObject)
    if (this.#cache.size > MAX_CACHED_KEYS) {
      const [oldest] = this.#cache.keys()
      if (oldest !== undefined) this.#cache.delete(oldest)
    }
    return keyObject
  }
}

/**
 * Returns whether a text is canonical base64 with padding. A text may mix the standard and the URL-safe
 * alphabet.
 */
export function isCanonicalBase64(text: string): boolean {
  if (text === '' || text.length % 4 !== 0) return false
  return inStandardAlphabet(text) === text.replaceAll('-', '+').replaceAll('_', '/')
}

/**
 * Converts base64 to the standard alphabet with padding. Two texts with the same bytes give the same result.
 */
export function inStandardAlphabet(text: string): string {
  return Buffer.from(text, 'base64').toString('base64')
}

/**
 * Returns the number of bytes in a base64 text. The padding may be missing, and any characters may follow it.
 */
export function decodedLength(text: string): number {
  return Buffer.from(text, 'base64').length
}

/** Returns whether a value is canonical base64 of exactly `bytes` bytes. */
export function isBase64Of(bytes: number, value: unknown): value is string {
  return typeof value === 'string' && isCanonicalBase64(value) && decodedLength(value) === bytes
}
