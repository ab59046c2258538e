import { setMaxListeners } from 'node:events'
import type { z } from 'zod'
import type { Clock } from '../../../shared/clock/clock.js'
import type { IdSource } from '../../../shared/ids.js'
import { defined } from '../../../shared/util/defined.js'
import type { Log } from '../../../shared/util/log.js'
import type {
  Acknowledgement,
  Appearance,
  Claim,
  ClaimRequest,
  Page,
  Patience,
  Post,
  RoomStatus,
  SafebotService,
  WaitRequest,
} from '../service.js'
import * as answers from './answers.js'
import { type IdentityFiles, Keyring, openIdentity } from './keyring.js'
import { Presences } from './presences.js'
import { Credentials, Registrar } from './registrar.js'
import { retrying } from './retry.js'
import { ServiceHttp } from './service-http.js'
import { ServiceTime } from './service-time.js'

/** How often a question is asked again; what changes something is never sent twice for that. */
const RETRIES = { wait: 2, read: 3 } as const

/** The services far away that this process is a client of, one for each base. Its agents are the same to all of them. */
export class RemoteServices {
  readonly #options: Omit<RemoteOptions, 'quotesErrors'>
  readonly #services = new Map<string, RemoteService>()

  constructor(options: Omit<RemoteOptions, 'keyring' | 'quotesErrors'>) {
    this.#options = { ...options, keyring: new Keyring(options.ids.stream('keys')) }
  }

  /**
   * @param base an origin
   * @param quotesErrors whether callers see the bodies of its errors
   */
  at(base: string, quotesErrors: boolean): RemoteService {
    const service = this.#services.get(base) ?? new RemoteService(base, { ...this.#options, quotesErrors })
    this.#services.set(base, service)
    return service
  }

  /**
   * Takes up the identity that a folder keeps; it is made if there is none.
   *
   * @param folder e.g. `~/.config/safebot`
   * @param handle what it is to be called if the folder does not say
   * @returns its handle
   * @throws Refusal `identity_damaged` or `identity_unreachable`
   */
  async takeUp(folder: string, handle: string): Promise<string> {
    const { ids, machine, keyring } = this.#options
    const files: IdentityFiles = {
      folder,
      // From its beginning each time: a handle has one key.
      ids: ids.stream('identity').fromBeginning().stream(handle),
      now: () => machine.now(),
    }
    const keys = await openIdentity(files, handle)
    keyring.add(keys)
    return keys.handle
  }

  /** Answers what is parked, and leaves every room. */
  async close(): Promise<void> {
    for (const service of this.#services.values()) await service.close()
  }
}

interface RemoteOptions {
  keyring: Keyring
  /** The machine's time: connections live by it. */
  machine: Clock
  /** For nonces. */
  ids: IdSource
  log: Log
  /** Whether callers see the bodies of its errors. Default true; false where a room URL alone leads to it. */
  quotesErrors?: boolean
}

/**
 * A SafeBot service reached over its HTTP API: a running stand-in, or whatever has that API.
 *
 * Agents are known to it by keys of the keyring, and are present in rooms by holding an event stream open.
 */
export class RemoteService implements SafebotService {
  readonly #http: ServiceHttp
  readonly #machine: Clock
  readonly #keyring: Keyring
  readonly #registrar: Registrar
  readonly #credentials: Credentials
  readonly #presences: Presences
  readonly #closing = new AbortController()

  /** @param base origin of the service */
  constructor(base: string, { keyring, machine, ids, log, quotesErrors }: RemoteOptions) {
    // Every question that is about to be asked again listens to it: there may be more of those than look right to Node.
    setMaxListeners(0, this.#closing.signal)
    const http = new ServiceHttp(base, machine, quotesErrors)
    const time = new ServiceTime(machine, async () => {
      const { ts } = await http.send({ method: 'GET', target: '/api/health', answer: answers.health })
      return ts
    })
    this.#http = http
    this.#machine = machine
    this.#keyring = keyring
    this.#registrar = new Registrar(http, keyring, time, log)
    this.#credentials = new Credentials(keyring, this.#registrar, time, ids)
    this.#presences = new Presences(http, machine)
  }

  post(roomId: string, post: Post, signAs?: string): Promise<{ id: string; seq: number }> {
    const { ciphertext, nonce, sender, replyTo, ttlMs } = post
    const message = {
      ciphertext,
      nonce,
      sender,
      ...defined({ reply_to: replyTo, ttl_ms: ttlMs }),
    }
    const target = `/api/rooms/${roomId}/messages`
    const send = (body: object) => this.#http.send({ method: 'POST', target, body, answer: answers.posted })
    if (signAs === undefined) return send(message)
    return this.#credentials.signed(signAs, signer =>
      send({ ...message, ...signer.vouching(roomId, ciphertext) }),
    )
  }

  transcript(roomId: string, after: number, limit: number): Promise<Page> {
    const target = `/api/rooms/${roomId}/transcript?after=${after}&limit=${limit}`
    return this.#read(target, answers.page)
  }

  wait(roomId: string, request: WaitRequest, signal: AbortSignal): Promise<Page> {
    return this.#inOpenRoom(roomId, request, signal, () => {
      const begun = this.#machine.now()
      return retrying(this.#machine, RETRIES.wait, [signal, this.#closing.signal], () => {
        const timeout = seconds(request.timeoutMs - (this.#machine.now() - begun))
        const target = `/api/rooms/${roomId}/wait?after=${request.after}&timeout=${timeout}`
        return this.#http.send({ method: 'GET', target, answer: answers.page, signal })
      })
    })
  }

  status(roomId: string): Promise<RoomStatus | undefined> {
    return this.#read(`/api/rooms/${roomId}/status`, answers.status)
  }

  claim(roomId: string, request: ClaimRequest, signal: AbortSignal): Promise<Claim> {
    const { handle, labels, timeoutMs } = request
    const target = `/api/rooms/${roomId}/claim?timeout=${seconds(timeoutMs)}`
    const body = { handle, exclude_senders: labels }
    return this.#inOpenRoom(roomId, request, signal, () =>
      this.#credentials.signed(handle, signer => {
        const headers = { Authorization: signer.authorization('POST', target) }
        return this.#http.send({ method: 'POST', target, headers, body, answer: answers.claim, signal })
      }),
    )
  }

  ack(roomId: string, handle: string, claimId: string, seq: number): Promise<Acknowledgement> {
    const target = `/api/rooms/${roomId}/ack`
    const body = { handle, claim_id: claimId, seq }
    return this.#credentials.signed(handle, signer => {
      const headers = { Authorization: signer.authorization('POST', target) }
      return this.#http.send({ method: 'POST', target, headers, body, answer: answers.acknowledged })
    })
  }

  /** The API has no way to give a message back: it comes again when its lease has run out. */
  async release(): Promise<void> {}

  /** Holds the room's event stream open, in the background, and sees to it that the handle is registered. */
  join(roomId: string, { handle, label }: Appearance): () => void {
    void this.#registrar.once(handle)
    const boxPub = Buffer.from(this.#keyring.of(handle).boxPub, 'base64').toString('base64url')
    return this.#presences.join(roomId, { name: label, boxPub })
  }

  async close(): Promise<void> {
    this.#closing.abort()
    this.#presences.close()
    this.#http.close()
  }

  #read<T>(target: string, answer: z.ZodType<T>): Promise<T> {
    return retrying(this.#machine, RETRIES.read, [this.#closing.signal], () =>
      this.#http.send({ method: 'GET', target, answer }),
    )
  }

  /**
   * Asks for something that comes to whoever is parked in a room. A room that nobody has opened yet is one
   * in which nobody can be parked, and being there is what opens it: so the agent has to be there first, if
   * it is to wait.
   */
  async #inOpenRoom<T extends { exists: boolean }>(
    roomId: string,
    { ifMissing }: Patience,
    signal: AbortSignal,
    ask: () => Promise<T>,
  ): Promise<T> {
    if (ifMissing === 'return') return ask()
    await this.#presences.settled(roomId, signal)
    const answer = await ask()
    if (answer.exists || signal.aborted) return answer
    const leave = this.#presences.join(roomId)
    try {
      await this.#presences.settled(roomId, signal)
      return await ask()
    } finally {
      leave()
    }
  }
}

/** As the API takes a time-out: whole seconds, 1 at least. */
function seconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1000))
}
