import { hash } from 'node:crypto'
import type { Clock } from '../../../shared/clock/clock.js'
import { decodedLength, type PublicKeys } from './keys.js'
import type { Identity } from './model.js'
import type { NonceKind } from './nonces.js'
import type { SafebotStore } from './store.js'

/**
 * Maximum difference between a signature's timestamp and the time, in milliseconds, inclusive. The service's
 * number.
 */
const SKEW_MS = 60_000

/** Length of an Ed25519 signature in bytes. */
export const SIGNATURE_BYTES = 64

/** Every nonce matches this. */
const NONCE = /^[A-Za-z0-9+/=_-]{16,64}$/

/** The signature of a request or a message. */
export interface Signature {
  /** Timestamp in milliseconds since the epoch, as text. Characters after the digits are ignored. */
  ts: string
  nonce: string
  /** Base64 of 64 bytes. The padding may be missing, and any characters may follow it. */
  sig: string
}

export interface SignaturesOptions {
  store: SafebotStore
  clock: Clock
  /** Machine time. Real clients sign with it, even if the instance's clock differs. */
  machine: Clock
  keys: PublicKeys
  /**
   * Maximum number of nonces that a handle may use for requests in two minutes, and the same for messages.
   * Null: no limit.
   */
  capacity: number | null
}

/**
 * Checks signatures. A signature is valid if its key is that of the identity, its timestamp is fresh, and its
 * nonce is new.
 */
export class Signatures {
  readonly #options: SignaturesOptions

  constructor(options: SignaturesOptions) {
    this.#options = options
  }

  /**
   * Returns whether an identity has signed a request. A valid signature uses up its nonce. The signature does
   * not cover the body.
   *
   * @param target path and query, exactly as the client sent them
   */
  verifyRequest(identity: Identity, signature: Signature, method: string, target: string): Promise<boolean> {
    return this.#verify(identity, signature, 'requests', tsAndNonce => `${method} ${target} ${tsAndNonce}`)
  }

  /** Returns whether an identity has signed a message. A valid signature uses up its nonce. */
  verifyMessage(
    identity: Identity,
    signature: Signature,
    roomId: string,
    ciphertext: string,
  ): Promise<boolean> {
    const digest = hash('sha256', ciphertext, 'hex')
    return this.#verify(
      identity,
      signature,
      'messages',
      tsAndNonce => `room-msg ${roomId} ${tsAndNonce} ${digest}`,
    )
  }

  /**
   * @param textOf returns the signed text. Its argument is the timestamp and the nonce, with a space between
   *   them.
   */
  async #verify(
    identity: Identity,
    { ts: tsText, nonce, sig }: Signature,
    kind: NonceKind,
    textOf: (tsAndNonce: string) => string,
  ): Promise<boolean> {
    const ts = Number.parseInt(tsText, 10)
    if (!this.isFresh(ts) || !NONCE.test(nonce) || decodedLength(sig) !== SIGNATURE_BYTES) return false
    // The key is checked first. Otherwise a caller without the key could use up nonces of the identity.
    if (!this.#options.keys.verifies(identity.signPub, textOf(`${ts} ${nonce}`), sig)) return false
    const capacity = this.#options.capacity ?? Number.POSITIVE_INFINITY
    return this.useNonce(kind, { owner: identity.handle, nonce, ts }, capacity)
  }

  /**
   * Returns whether a timestamp is fresh: within 60 s of the instance's clock or of machine time.
   *
   * @param ts milliseconds since the epoch
   */
  isFresh(ts: number): boolean {
    const { clock, machine } = this.#options
    return [clock, machine].some(each => Math.abs(each.now() - ts) <= SKEW_MS)
  }

  /**
   * Uses up the nonce of a valid signature.
   *
   * @param ts timestamp of the signature, in milliseconds since the epoch. The nonce is stored at least as
   *   long as this timestamp is fresh.
   * @param capacity maximum number of nonces that the owner may use in two minutes. Default: no limit
   * @returns whether the nonce may be used. False if it was used before, or if the capacity is exhausted.
   */
  useNonce(
    kind: NonceKind,
    { owner, nonce, ts }: { owner: string; nonce: string; ts: number },
    capacity = Number.POSITIVE_INFINITY,
  ): Promise<boolean> {
    const { store, clock, machine } = this.#options
    const used = { owner, nonce, at: clock.now(), freshUntil: Math.ceil(ts) + SKEW_MS }
    return store.useNonce(kind, used, capacity, machine.now())
  }
}
