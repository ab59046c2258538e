import { createHash } from 'node:crypto'
import { Refusal } from '../../../shared/errors.js'
import type { IdSource } from '../../../shared/ids.js'
import type { Log } from '../../../shared/util/log.js'
import { ServiceRefusal } from '../domain/refusals.js'
import { anyAnswer } from './answers.js'
import type { IdentityKeys, Keyring } from './keyring.js'
import type { ServiceHttp } from './service-http.js'
import type { ServiceTime } from './service-time.js'

/** Random bytes in a nonce. In base64 they have 16 characters, the minimum that the service accepts. */
const NONCE_BYTES = 12

/** The public description in each registration. */
const BIO = 'an agent of mcp-understudy'

/**
 * The result of a registration. `taken` means that the handle was registered before, perhaps with the same
 * key. The first signed request shows whether the key is the same.
 */
export type RegistrationResult = 'registered' | 'taken' | 'failed'

/** Registers the handles of this process at one service. */
export class Registrar {
  readonly #http: ServiceHttp
  readonly #keyring: Keyring
  readonly #time: ServiceTime
  readonly #log: Log
  readonly #registrations = new Map<string, Promise<RegistrationResult>>()

  constructor(http: ServiceHttp, keyring: Keyring, time: ServiceTime, log: Log) {
    this.#http = http
    this.#keyring = keyring
    this.#time = time
    this.#log = log
  }

  /**
   * Registers a handle unless an earlier call has done so. A failure is logged and not thrown, because most
   * requests need no registered handle.
   */
  ensureRegistered(handle: string): Promise<RegistrationResult> {
    return this.#registrations.get(handle) ?? this.registerAgain(handle)
  }

  /**
   * Registers a handle, also if an earlier call has done so. The service may have restarted and lost its
   * registrations.
   */
  registerAgain(handle: string): Promise<RegistrationResult> {
    const registering = this.#register(handle)
    this.#registrations.set(handle, registering)
    void registering.then(result => {
      // The next call registers the handle again.
      if (result === 'failed' && this.#registrations.get(handle) === registering)
        this.#registrations.delete(handle)
    })
    return registering
  }

  async #register(handle: string): Promise<RegistrationResult> {
    try {
      const timestamp = this.#time.now()
      const first = await this.#send(handle, timestamp)
      if (!(first instanceof ServiceRefusal)) return first
      if (!(await this.#time.synchronize(timestamp))) throw first
      const second = await this.#send(handle, this.#time.now())
      if (second instanceof ServiceRefusal) throw second
      return second
    } catch (error) {
      this.#warn(handle, error)
      return 'failed'
    }
  }

  #warn(handle: string, error: unknown): void {
    const message = `cannot register @${handle} at ${this.#http.base}`
    if (!(error instanceof Refusal)) this.#log.warn(message, error)
    else if (error.code !== 'shutting_down') this.#log.warn(`${message}: ${error.sentence}`)
  }

  /**
   * Sends a registration. Returns a refusal with status 400 instead of throwing it, because the timestamp may
   * be its cause.
   *
   * @param ts milliseconds since the epoch, in the service's time
   * @throws Refusal for every other failure
   */
  async #send(handle: string, ts: number): Promise<RegistrationResult | ServiceRefusal> {
    const keys = this.#keyring.keysOf(handle)
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
      await this.#http.send({ method: 'POST', target: '/api/identity/register', body, answer: anyAnswer })
      return 'registered'
    } catch (error) {
      if (!(error instanceof ServiceRefusal)) throw error
      if (error.status === 409) return 'taken'
      if (error.status === 400) return error
      throw error
    }
  }
}

/** Sends signed requests to one service. */
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
   * Sends a signed request. If the service answers 401 or 404, reads the service's time and registers the
   * handle again. If that has changed anything, sends the request once more.
   *
   * @param handle the handle that signs
   * @param send builds and sends the request. It is called once or twice, each time with a signer of its own.
   * @throws the error of `send`
   */
  async sendSigned<T>(handle: string, send: (signer: Signer) => Promise<T>): Promise<T> {
    await this.#registrar.ensureRegistered(handle)
    const signer = this.#signer(handle)
    try {
      return await send(signer)
    } catch (error) {
      const correctable = error instanceof ServiceRefusal && [401, 404].includes(error.status)
      if (correctable && (await this.#correctCause(signer))) return send(this.#signer(handle))
      throw error
    }
  }

  #signer(handle: string): Signer {
    const ts = this.#time.now()
    // After a restart, the same seed gives the same random bytes. The timestamp makes the nonce different.
    const nonce = `${this.#ids.bytes(NONCE_BYTES).toString('base64url')}${ts}`
    return new Signer(this.#keyring.keysOf(handle), ts, nonce)
  }

  /**
   * Removes the possible causes of a refused signature: a wrong time, and a handle that the service has lost.
   * Returns whether there was such a cause.
   */
  async #correctCause({ keys, ts }: Signer): Promise<boolean> {
    // If the service's time cannot be read, the caller must get the refusal and not this error.
    const corrected = await this.#time.synchronize(ts).catch(() => false)
    return (await this.#registrar.registerAgain(keys.handle)) === 'registered' || corrected
  }
}

/** Signs one request with one timestamp and one nonce. */
class Signer {
  /**
   * @param ts milliseconds since the epoch, in the service's time
   * @param nonce 16 to 64 characters that were never used before
   */
  constructor(
    readonly keys: IdentityKeys,
    readonly ts: number,
    readonly nonce: string,
  ) {}

  /**
   * Returns the value of the `Authorization` header.
   *
   * @param target path and query of the request
   */
  authorization(method: string, target: string): string {
    const { keys, ts, nonce } = this
    return `SafeBot ts=${ts},n=${nonce},sig=${keys.sign(`${method} ${target} ${ts} ${nonce}`)}`
  }

  /**
   * Returns the fields that sign a message in a room.
   *
   * @param ciphertext base64
   */
  messageSignature(roomId: string, ciphertext: string) {
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
