import { createPublicKey, type KeyObject, verify } from 'node:crypto'

/** Keys kept ready; past it the earliest is made anew. */
const MAX_READY = 10_000

/** Ed25519 public keys, ready for use: making one of its bytes costs a quarter of a verification. */
export class Keys {
  readonly #ready = new Map<string, KeyObject>()

  /**
   * Whether `signature` is that of `text` under a key.
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

/** Whether a text is what its bytes would be written as, padding included. Both alphabets may be mixed in it. */
export function isCanonicalBase64(text: string): boolean {
  if (text === '' || text.length % 4 !== 0) return false
  return inStandardAlphabet(text) === text.replaceAll('-', '+').replaceAll('_', '/')
}

/** The bytes of a base64 text, written in the standard alphabet: the same for each way to write them. */
export function inStandardAlphabet(text: string): string {
  return Buffer.from(text, 'base64').toString('base64')
}

/** How many bytes a base64 text holds. Padding may be missing, and characters may follow. */
export function decodedLength(text: string): number {
  return Buffer.from(text, 'base64').length
}

/** Whether a value is canonical base64 of exactly that many bytes. */
export function isBase64Of(bytes: number, value: unknown): value is string {
  return typeof value === 'string' && isCanonicalBase64(value) && decodedLength(value) === bytes
}
