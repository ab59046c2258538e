import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto'
import type { IdSource } from '../../../shared/ids.js'

/** Bytes of one secret key. */
const SECRET_BYTES = 32

/** Bytes of an identity's secrets as they are kept: the X25519 key, then the seed of the Ed25519 key. */
export const SECRETS_BYTES = 2 * SECRET_BYTES

/** What stands before 32 secret bytes to make them a key in PKCS #8 (RFC 8410). */
const PKCS8 = {
  x25519: Buffer.from('302e020100300506032b656e04220420', 'hex'),
  ed25519: Buffer.from('302e020100300506032b657004220420', 'hex'),
} as const

/** A handle, and the keys that vouch for it. */
export class Keys {
  /** Base64 of an X25519 key. */
  readonly boxPub: string
  /** Base64 of an Ed25519 key. */
  readonly signPub: string
  readonly #signing: KeyObject

  /** @param secrets {@link SECRETS_BYTES} bytes */
  constructor(
    readonly handle: string,
    secrets: Buffer,
  ) {
    this.boxPub = publicOf(privateKey('x25519', secrets.subarray(0, SECRET_BYTES)))
    this.#signing = privateKey('ed25519', secrets.subarray(SECRET_BYTES))
    this.signPub = publicOf(this.#signing)
  }

  /** The signature of a text, in base64. */
  sign(text: string): string {
    return sign(null, Buffer.from(text), this.#signing).toString('base64')
  }
}

/**
 * The keys of this process's agents, by handle. Those that no file holds are made when they are first
 * needed and end with the process; a seeded one makes the same again.
 */
export class Keyring {
  readonly #ids: IdSource
  readonly #keys = new Map<string, Keys>()

  constructor(ids: IdSource) {
    this.#ids = ids
  }

  of(handle: string): Keys {
    const keys = this.#keys.get(handle) ?? new Keys(handle, this.#ids.stream(handle).bytes(SECRETS_BYTES))
    this.#keys.set(handle, keys)
    return keys
  }

  /** Takes keys that were kept elsewhere. */
  add(keys: Keys): void {
    this.#keys.set(keys.handle, keys)
  }
}

function privateKey(kind: keyof typeof PKCS8, secret: Buffer): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PKCS8[kind], secret]), format: 'der', type: 'pkcs8' })
}

function publicOf(key: KeyObject): string {
  const { x = '' } = createPublicKey(key).export({ format: 'jwk' })
  return Buffer.from(x, 'base64url').toString('base64')
}
