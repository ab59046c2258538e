import { hash } from 'node:crypto'
import type { Clock } from '../../../shared/clock/clock.js'
import { decodedLength, type PublicKeys } from './keys.js'
import type { Identity } from './model.js'
import type { NonceKind } from './nonces.js'
import type { SafebotStore } from './store.js'

/** Largest difference between a signature's timestamp and the time, in milliseconds, inclusive. */
const SKEW_MS = 60_000

export const SIGNATURE_BYTES = 64

const NONCE = /^[A-Za-z0-9+/=_-]{16,64}$/

/** The signature of a request or a message. */
export interface Signature {
  /** Milliseconds since the epoch, as text. Characters after the digits are ignored. */
  ts: string
  nonce: string
  /** Base64 of 64 bytes. Padding may be missing, and characters may follow. */
  sig: string
}

export interface SignaturesOptions {
  store: SafebotStore
  clock: Clock
  /** Machine time. Real clients sign with it, even if the instance's clock differs. */
  machine: Clock
  keys: PublicKeys
  /** Nonces that one handle may use in two minutes, for requests and for messages each. Null: no limit. */
  capacity: number | null
}

/**
 * Checks signatures: the key, the timestamp by the instance's clock or the machine's, and that the nonce is
 * new.
 */
export class Signatures {
  readonly #options: SignaturesOptions

  constructor(options: SignaturesOptions) {
    this.#options = options
  }

  /**
   * Returns whether the identity has signed a request.
   *
   * @param target path and query, as requested. The body is not signed.
   */
  coversRequest(identity: Identity, signature: Signature, method: string, target: string): Promise<boolean> {
    return this.#covers(identity, signature, 'requests', stamp => `${method} ${target} ${stamp}`)
  }

  /** Returns whether the identity has signed a message. */
  coversMessage(
    identity: Identity,
    signature: Signature,
    roomId: string,
    ciphertext: string,
  ): Promise<boolean> {
    const digest = hash('sha256', ciphertext, 'hex')
    return this.#covers(identity, signature, 'messages', stamp => `room-msg ${roomId} ${stamp} ${digest}`)
  }

  /** @param textOf returns the signed text for a timestamp and a nonce */
  async #covers(
    identity: Identity,
    { ts: writtenTs, nonce, sig }: Signature,
    kind: NonceKind,
    textOf: (stamp: string) => string,
  ): Promise<boolean> {
    const ts = Number.parseInt(writtenTs, 10)
    if (!this.isFresh(ts) || !NONCE.test(nonce) || decodedLength(sig) !== SIGNATURE_BYTES) return false
    // A nonce is used up by a valid signature only, so that no other caller can use it up.
    if (!this.#options.keys.verifies(identity.signPub, textOf(`${ts} ${nonce}`), sig)) return false
    const capacity = this.#options.capacity ?? Number.POSITIVE_INFINITY
    return this.useOnce(kind, { owner: identity.handle, nonce, ts }, capacity)
  }

  /**
   * Returns whether a timestamp, in milliseconds, is within 60 s of the instance's clock or of the machine's
   * time.
   */
  isFresh(ts: number): boolean {
    const { clock, machine } = this.#options
    return [clock, machine].some(each => Math.abs(each.now() - ts) <= SKEW_MS)
  }

  /**
   * Uses up the nonce of a good signature. Returns false if it was used before.
   *
   * @param ts the signature's timestamp, in milliseconds since the epoch. The nonce is remembered while it
   *   may be fresh.
   * @param capacity nonces that the owner may use in two minutes. Infinity is any number.
   */
  useOnce(
    kind: NonceKind,
    { owner, nonce, ts }: { owner: string; nonce: string; ts: number },
    capacity = Number.POSITIVE_INFINITY,
  ): Promise<boolean> {
    const { store, clock, machine } = this.#options
    const used = { owner, nonce, at: clock.now(), freshUntil: Math.ceil(ts) + SKEW_MS }
    return store.useNonce(kind, used, capacity, machine.now())
  }
}
