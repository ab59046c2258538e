import { createHash } from 'node:crypto'
import { Refusal } from '../../../shared/errors.js'
import type { IdSource } from '../../../shared/ids.js'
import type { Log } from '../../../shared/util/log.js'
import { ServiceRefusal } from '../domain/refusals.js'
import { anything } from './answers.js'
import type { IdentityKeys, Keyring } from './keyring.js'
import type { ServiceHttp } from './service-http.js'
import type { ServiceTime } from './service-time.js'

/** 16 characters in base64, the fewest that the service accepts. */
const NONCE_BYTES = 12

/** The public description of an agent at the service. */
const BIO = 'an agent of mcp-understudy'

/** The result of a registration. A `taken` handle may be our own. The first signed request shows that. */
export type RegistrationResult = 'registered' | 'taken' | 'failed'

/** Registers handles at one service. */
export class Registrar {
  readonly #http: ServiceHttp
  readonly #keyring: Keyring
  readonly #time: ServiceTime
  readonly #log: Log
  readonly #done = new Map<string, Promise<RegistrationResult>>()

  constructor(http: ServiceHttp, keyring: Keyring, time: ServiceTime, log: Log) {
    this.#http = http
    this.#keyring = keyring
    this.#time = time
    this.#log = log
  }

  /** Registers a handle once. Failures are logged, because most requests need no handle. */
  once(handle: string): Promise<RegistrationResult> {
    return this.#done.get(handle) ?? this.anew(handle)
  }

  /** Registers a handle, even if it is registered. */
  anew(handle: string): Promise<RegistrationResult> {
    const registering = this.#register(handle)
    this.#done.set(handle, registering)
    void registering.then(outcome => {
      // The next call tries again.
      if (outcome === 'failed' && this.#done.get(handle) === registering) this.#done.delete(handle)
    })
    return registering
  }

  async #register(handle: string): Promise<RegistrationResult> {
    try {
      const stamp = this.#time.now()
      const first = await this.#send(handle, stamp)
      if (!(first instanceof ServiceRefusal)) return first
      if (!(await this.#time.correct(stamp))) throw first
      const second = await this.#send(handle, this.#time.now())
      if (second instanceof ServiceRefusal) throw second
      return second
    } catch (error) {
      this.#warn(handle, error)
      return 'failed'
    }
  }

  #warn(handle: string, error: unknown): void {
    const what = `@${handle} could not be registered at ${this.#http.base}`
    if (!(error instanceof Refusal)) this.#log.warn(what, error)
    else if (error.code !== 'shutting_down') this.#log.warn(`${what}: ${error.sentence}`)
  }

  /** Returns the refusal if the timestamp may be its cause. */
  async #send(handle: string, ts: number): Promise<RegistrationResult | ServiceRefusal> {
    const keys = this.#keyring.of(handle)
    const { boxPub, signPub } = keys
    const body = {
      handle,
      box_pub: boxPub,
      sign_pub: signPub,
      register_ts: ts,
      register_sig: keys.sign(`register ${handle} ${ts} ${boxPub} ${signPub}`),
      meta: { bio: BIO },
    }
    try {
      await this.#http.send({ method: 'POST', target: '/api/identity/register', body, answer: anything })
      return 'registered'
    } catch (error) {
      if (!(error instanceof ServiceRefusal)) throw error
      if (error.status === 409) return 'taken'
      if (error.status === 400) return error
      throw error
    }
  }
}

/** Signs the requests of a handle to one service. */
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
   * Sends a signed request. If the service refuses the signature, corrects the cause and sends it once more:
   * the service's clock differs, or the service was restarted and does not know the handle.
   *
   * @param send builds and sends the request. It is called once or twice, each time with a new timestamp.
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
    // The nonce contains the timestamp, so that a restarted process with the same seed does not repeat its
    // nonces.
    const nonce = `${this.#ids.bytes(NONCE_BYTES).toString('base64url')}${ts}`
    return new Signer(this.#keyring.of(handle), ts, nonce)
  }

  /** Registers again and corrects the time. Returns whether that changed anything. */
  async #mend({ keys, ts }: Signer): Promise<boolean> {
    // The refusal matters more than a failure to read the service's time.
    const corrected = await this.#time.correct(ts).catch(() => false)
    return (await this.#registrar.anew(keys.handle)) === 'registered' || corrected
  }
}

/** Signs one request. */
class Signer {
  /**
   * @param ts milliseconds since the epoch, in the service's time
   * @param nonce a new nonce
   */
  constructor(
    readonly keys: IdentityKeys,
    readonly ts: number,
    readonly nonce: string,
  ) {}

  /** The `Authorization` header of a request. @param target path and query */
  authorization(method: string, target: string): string {
    const { keys, ts, nonce } = this
    return `SafeBot ts=${ts},n=${nonce},sig=${keys.sign(`${method} ${target} ${ts} ${nonce}`)}`
  }

  /** Returns the fields that sign a message. */
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
