import { createHash } from 'node:crypto'
import type { IdSource } from '../../../shared/ids.js'
import { ServiceRefusal } from '../domain/refusals.js'
import type { Keyring, Keys } from './keyring.js'
import type { Registrar } from './registrar.js'
import type { ServiceTime } from './service-time.js'

/** Written in base64 these are 16 characters, the fewest that the service takes. */
const NONCE_BYTES = 12

/** Signs what a handle asks of one service. */
export class Credentials {
  readonly #keyring: Keyring
  readonly #registrar: Registrar
  readonly #time: ServiceTime
  readonly #ids: IdSource

  constructor(keyring: Keyring, registrar: Registrar, time: ServiceTime, ids: IdSource) {
    this.#keyring = keyring
    this.#registrar = registrar
    this.#time = time
    this.#ids = ids
  }

  /**
   * Sends what a handle signs for. Turned down, it is sent once more if its reason can be mended: the
   * service has another idea of the time, or has been started anew and does not know the handle any more.
   *
   * @param send makes and sends the request; called once or twice, each time with a stamp of its own
   */
  async signed<T>(handle: string, send: (signer: Signer) => Promise<T>): Promise<T> {
    await this.#registrar.once(handle)
    const signer = this.#signer(handle)
    try {
      return await send(signer)
    } catch (error) {
      const mendable = error instanceof ServiceRefusal && [401, 404].includes(error.status)
      if (mendable && (await this.#mend(signer))) return send(this.#signer(handle))
      throw error
    }
  }

  #signer(handle: string): Signer {
    const ts = this.#time.now()
    // With the stamp in it, a process that was started anew with the same seed does not repeat what its predecessor used.
    const nonce = `${this.#ids.bytes(NONCE_BYTES).toString('base64url')}${ts}`
    return new Signer(this.#keyring.of(handle), ts, nonce)
  }

  /** Tells whether anything has changed. */
  async #mend({ keys, ts }: Signer): Promise<boolean> {
    // That the service does not tell its time is of less interest than what it has turned down.
    const corrected = await this.#time.correct(ts).catch(() => false)
    return (await this.#registrar.anew(keys.handle)) === 'registered' || corrected
  }
}

/** Signs one request. */
export class Signer {
  /**
   * @param ts milliseconds since the epoch, by the service's time
   * @param nonce never used before
   */
  constructor(
    readonly keys: Keys,
    readonly ts: number,
    readonly nonce: string,
  ) {}

  /** The `Authorization` header of a request. @param target path and query */
  authorization(method: string, target: string): string {
    const { keys, ts, nonce } = this
    return `SafeBot ts=${ts},n=${nonce},sig=${keys.sign(`${method} ${target} ${ts} ${nonce}`)}`
  }

  /** The fields by which a message becomes the handle's own. */
  vouching(roomId: string, ciphertext: string) {
    const { keys, ts, nonce } = this
    const digest = createHash('sha256').update(ciphertext).digest('hex')
    return {
      sender_handle: keys.handle,
      sender_ts: ts,
      sender_nonce: nonce,
      sender_sig: keys.sign(`room-msg ${roomId} ${ts} ${nonce} ${digest}`),
    }
  }
}
