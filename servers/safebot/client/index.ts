import { setMaxListeners } from 'node:events'
import type { z } from 'zod'
import type { Clock } from '../../../shared/clock/clock.js'
import type { IdSource } from '../../../shared/ids.js'
import type { Log } from '../../../shared/util/log.js'
import { defined } from '../../../shared/util/objects.js'
import type {
  Acknowledgement,
  AgentInRoom,
  Claim,
  ClaimRequest,
  MessagePage,
  NewMessage,
  RoomStatus,
  SafebotService,
  WaitOptions,
  WaitRequest,
} from '../service.js'
import * as answers from './answers.js'
import { type IdentityFiles, Keyring, openIdentity } from './keyring.js'
import { Presences } from './presences.js'
import { Credentials, Registrar } from './registrar.js'
import { withRetries } from './retry.js'
import { ServiceHttp } from './service-http.js'
import { ServiceTime } from './service-time.js'

/** Maximum number of retries, as in the real client. A request that changes state is never repeated. */
const RETRIES = { wait: 2, read: 3 } as const

/** Creates one client for each service in another process. All clients use the same keyring. */
export class RemoteServices {
  readonly #options: Omit<RemoteOptions, 'showsErrorBodies'>
  readonly #services = new Map<string, RemoteService>()

  /** @param options the options of each client */
  constructor(options: Omit<RemoteOptions, 'keyring' | 'showsErrorBodies'>) {
    this.#options = { ...options, keyring: new Keyring(options.ids.stream('keys')) }
  }

  /**
   * Returns the client of a service. The first call for a base creates the client.
   *
   * @param base origin of the service
   * @param showsErrorBodies whether callers see the bodies of the service's error answers. Only the first
   *   call decides this.
   */
  serviceAt(base: string, showsErrorBodies: boolean): RemoteService {
    const service =
      this.#services.get(base) ?? new RemoteService(base, { ...this.#options, showsErrorBodies })
    this.#services.set(base, service)
    return service
  }

  /**
   * Loads an identity from a folder into the keyring, and creates the files that are missing.
   *
   * @param folder e.g. `~/.config/safebot`
   * @param handle the handle of a new identity. Ignored if the folder has an identity
   * @returns the handle of the identity
   * @throws Refusal `identity_damaged` or `identity_unreachable`
   */
  async loadIdentity(folder: string, handle: string): Promise<string> {
    const { ids, machine, keyring } = this.#options
    const files: IdentityFiles = {
      folder,
      // Each call starts a new id stream, so that the same seed and handle always give the same key.
      ids: ids.stream('identity').fromBeginning().stream(handle),
      now: () => machine.now(),
    }
    const keys = await openIdentity(files, handle)
    keyring.add(keys)
    return keys.handle
  }

  /** Ends waiting requests with `shutting_down`. All agents leave their rooms. */
  async close(): Promise<void> {
    for (const service of this.#services.values()) await service.close()
  }
}

interface RemoteOptions {
  keyring: Keyring
  /** Machine time, for time-outs, retries and timestamps. */
  machine: Clock
  /** Source of the nonces in signatures. */
  ids: IdSource
  log: Log
  /**
   * Whether callers see the bodies of error answers. Default true. False for a service that only a room URL
   * names, because a room URL must not give access to the answers of any server.
   */
  showsErrorBodies?: boolean
}

/**
 * Calls a SafeBot service through its HTTP API. The service is a running stand-in, or another server with the
 * same API.
 *
 * Requests are signed with the keys in the keyring. An agent is present in a room while its event stream is
 * open.
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
  constructor(base: string, { keyring, machine, ids, log, showsErrorBodies }: RemoteOptions) {
    // Every retried request listens to this signal. Node would warn about more than ten listeners.
    setMaxListeners(0, this.#closing.signal)
    const http = new ServiceHttp(base, machine, showsErrorBodies)
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

  post(roomId: string, post: NewMessage, signAs?: string): Promise<{ id: string; seq: number }> {
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
    return this.#credentials.sendSigned(signAs, signer =>
      send({ ...message, ...signer.messageSignature(roomId, ciphertext) }),
    )
  }

  transcript(roomId: string, after: number, limit: number): Promise<MessagePage> {
    const target = `/api/rooms/${roomId}/transcript?after=${after}&limit=${limit}`
    return this.#read(target, answers.page)
  }

  wait(roomId: string, request: WaitRequest, signal: AbortSignal): Promise<MessagePage> {
    return this.#inOpenRoom(roomId, request, signal, () => {
      const startedAt = this.#machine.now()
      return withRetries(this.#machine, RETRIES.wait, [signal, this.#closing.signal], () => {
        const timeout = wholeSeconds(request.timeoutMs - (this.#machine.now() - startedAt))
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
    const target = `/api/rooms/${roomId}/claim?timeout=${wholeSeconds(timeoutMs)}`
    const body = { handle, exclude_senders: labels }
    return this.#inOpenRoom(roomId, request, signal, () =>
      this.#credentials.sendSigned(handle, signer => {
        const headers = { Authorization: signer.authorization('POST', target) }
        return this.#http.send({ method: 'POST', target, headers, body, answer: answers.claimAnswer, signal })
      }),
    )
  }

  ack(roomId: string, handle: string, claimId: string, seq: number): Promise<Acknowledgement> {
    const target = `/api/rooms/${roomId}/ack`
    const body = { handle, claim_id: claimId, seq }
    return this.#credentials.sendSigned(handle, signer => {
      const headers = { Authorization: signer.authorization('POST', target) }
      return this.#http.send({ method: 'POST', target, headers, body, answer: answers.acknowledged })
    })
  }

  /**
   * Does nothing, because the API has no route for it. The task is redelivered when its lease has expired.
   */
  async release(): Promise<void> {}

  /** Opens the room's event stream and registers the handle, both in the background. */
  join(roomId: string, { handle, label }: AgentInRoom): () => void {
    void this.#registrar.ensureRegistered(handle)
    const boxPub = Buffer.from(this.#keyring.keysOf(handle).boxPub, 'base64').toString('base64url')
    return this.#presences.join(roomId, { name: label, boxPub })
  }

  async close(): Promise<void> {
    this.#closing.abort()
    this.#presences.close()
    this.#http.close()
  }

  #read<T>(target: string, answer: z.ZodType<T>): Promise<T> {
    return withRetries(this.#machine, RETRIES.read, [this.#closing.signal], () =>
      this.#http.send({ method: 'GET', target, answer }),
    )
  }

  /**
   * Sends a request that may wait in a room. The service answers at once if the room does not exist. A
   * participant opens the room, so the request is sent after the agent's presence has been established. If
   * the room still does not exist, a nameless participant joins until the second request has its answer.
   *
   * @param ifMissing `return`: sends the request once, whether or not the room exists
   */
  async #inOpenRoom<T extends { exists: boolean }>(
    roomId: string,
    { ifMissing }: WaitOptions,
    signal: AbortSignal,
    send: () => Promise<T>,
  ): Promise<T> {
    if (ifMissing === 'return') return send()
    await this.#presences.awaitConnections(roomId, signal)
    const answer = await send()
    if (answer.exists || signal.aborted) return answer
    const leave = this.#presences.join(roomId)
    try {
      await this.#presences.awaitConnections(roomId, signal)
      return await send()
    } finally {
      leave()
    }
  }
}

/** Converts milliseconds to the time-out that the API accepts: whole seconds, rounded up, at least 1. */
function wholeSeconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1000))
}
