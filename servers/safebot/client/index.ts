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

/** Number of retries. A request that changes anything is never repeated. */
const RETRIES = { wait: 2, read: 3 } as const

/** Clients of services in other processes, one for each base. They share the agents. */
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
   * Loads the identity from a folder, and creates it if there is none.
   *
   * @param folder e.g. `~/.config/safebot`
   * @param handle the handle if the folder has none
   * @returns the handle
   * @throws Refusal `identity_damaged` or `identity_unreachable`
   */
  async loadIdentity(folder: string, handle: string): Promise<string> {
    const { ids, machine, keyring } = this.#options
    const files: IdentityFiles = {
      folder,
      // A new stream each time, so that a handle always gets the same key.
      ids: ids.stream('identity').fromBeginning().stream(handle),
      now: () => machine.now(),
    }
    const keys = await openIdentity(files, handle)
    keyring.add(keys)
    return keys.handle
  }

  /** Answers waiting requests and leaves every room. */
  async close(): Promise<void> {
    for (const service of this.#services.values()) await service.close()
  }
}

interface RemoteOptions {
  keyring: Keyring
  /** Machine time, for connections. */
  machine: Clock
  /** Source of nonces. */
  ids: IdSource
  log: Log
  /**
   * Whether callers see the bodies of error answers. Default true. False if only a room URL names the
   * service.
   */
  quotesErrors?: boolean
}

/**
 * A SafeBot service behind its HTTP API: a running stand-in, or another server with that API.
 *
 * The service knows agents by the keys of the keyring. An agent is present in a room while its event stream
 * is open.
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
    // Every retried request listens to this signal. Without this, Node warns about their number.
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
        return this.#http.send({ method: 'POST', target, headers, body, answer: answers.claimAnswer, signal })
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

  /** Does nothing. The API cannot return a message, so it is delivered again after its lease. */
  async release(): Promise<void> {}

  /** Keeps the room's event stream open in the background, and registers the handle. */
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
   * Runs a request that may wait in a room. Nothing can wait in a room that is not open, and the agent's
   * presence opens it. So the agent joins first if the request has to wait.
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

/** Returns a time-out for the API: whole seconds, at least 1. */
function seconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1000))
}
