import { hash } from 'node:crypto'
import type { Clock } from '../../../shared/clock/clock.js'
import { isBase64Of, type Keys } from './keys.js'
import type { Identity } from './model.js'
import type { NonceKind } from './nonces.js'
import type { SafebotStore } from './store.js'

/** How far a signature's stamp may be from the service's time, either way, inclusive. */
const SKEW_MS = 60_000

export const SIGNATURE_BYTES = 64

const NONCE = /^[A-Za-z0-9+/=_-]{16,64}$/

/** What a request or a message is signed with. */
export interface Signature {
  /** Milliseconds since the epoch, as it was written. */
  ts: string
  nonce: string
  /** Base64 of 64 bytes. */
  sig: string
}

/** Whether signatures are good: the right key, about this time, and not seen before. */
export class Signatures {
  readonly #store: SafebotStore
  readonly #clock: Clock
  readonly #keys: Keys
  readonly #capacity: number

  /** @param capacity nonces kept for one handle, of requests and of messages each; null: any number */
  constructor(store: SafebotStore, clock: Clock, keys: Keys, capacity: number | null) {
    this.#store = store
    this.#clock = clock
    this.#keys = keys
    this.#capacity = capacity ?? Number.POSITIVE_INFINITY
  }

  /**
   * Whether a request is the identity's.
   *
   * @param target path and query, as requested; the body is not covered
   */
  coversRequest(identity: Identity, signature: Signature, method: string, target: string): Promise<boolean> {
    const { ts, nonce } = signature
    return this.#covers(identity, signature, `${method} ${target} ${ts} ${nonce}`, 'requests')
  }

  /** Whether a message is the identity's. */
  coversMessage(
    identity: Identity,
    signature: Signature,
    roomId: string,
    ciphertext: string,
  ): Promise<boolean> {
    const { ts, nonce } = signature
    const digest = hash('sha256', ciphertext, 'hex')
    return this.#covers(identity, signature, `room-msg ${roomId} ${ts} ${nonce} ${digest}`, 'messages')
  }

  async #covers(
    identity: Identity,
    { ts, nonce, sig }: Signature,
    text: string,
    kind: NonceKind,
  ): Promise<boolean> {
    if (!this.isCurrent(Number(ts)) || !NONCE.test(nonce) || !isBase64Of(SIGNATURE_BYTES, sig)) return false
    // Its nonce is used up only by a good signature: nobody else must be able to spend it.
    if (!this.#keys.verifies(identity.signPub, text, sig)) return false
    return this.#store.useNonce(
      kind,
      { owner: identity.handle, nonce, at: this.#clock.now() },
      this.#capacity,
    )
  }

  /** Whether a stamp is near enough to the service's time. */
  isCurrent(ts: number): boolean {
    return Math.abs(this.#clock.now() - ts) <= SKEW_MS
  }
}
