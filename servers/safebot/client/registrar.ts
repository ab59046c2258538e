import { Refusal } from '../../../shared/errors.js'
import type { Log } from '../../../shared/util/log.js'
import { ServiceRefusal } from '../domain/refusals.js'
import { anything } from './answers.js'
import type { Keyring } from './keyring.js'
import type { ServiceHttp } from './service-http.js'
import type { ServiceTime } from './service-time.js'

/** What others may read of an agent at the service. */
const BIO = 'an agent of mcp-understudy'

/** What came of it: `taken` may mean that it is ours already; the first signed request tells. */
export type Registration = 'registered' | 'taken' | 'failed'

/** Registers handles at one service. */
export class Registrar {
  readonly #http: ServiceHttp
  readonly #keyring: Keyring
  readonly #time: ServiceTime
  readonly #log: Log
  readonly #done = new Map<string, Promise<Registration>>()

  constructor(http: ServiceHttp, keyring: Keyring, time: ServiceTime, log: Log) {
    this.#http = http
    this.#keyring = keyring
    this.#time = time
    this.#log = log
  }

  /** Registers a handle unless that has been done. What goes wrong is for the log: most work needs no handle. */
  once(handle: string): Promise<Registration> {
    return this.#done.get(handle) ?? this.anew(handle)
  }

  /** Registers a handle, whether that has been done or not. */
  anew(handle: string): Promise<Registration> {
    const registering = this.#register(handle)
    this.#done.set(handle, registering)
    void registering.then(outcome => {
      // Next time it may work.
      if (outcome === 'failed' && this.#done.get(handle) === registering) this.#done.delete(handle)
    })
    return registering
  }

  async #register(handle: string): Promise<Registration> {
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

  /** Returns a refusal that may be due to the stamp. */
  async #send(handle: string, ts: number): Promise<Registration | ServiceRefusal> {
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
