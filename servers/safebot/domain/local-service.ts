import type { Clock } from '../../../shared/clock/clock.js'
import type { IdSource } from '../../../shared/ids.js'
import type { PartitionDump } from '../../../shared/records/partition.js'
import { RwLock } from '../../../shared/util/locks.js'
import { defined } from '../../../shared/util/objects.js'
import type { Contract } from '../contract.js'
import { RateLimits, type RatesSnapshot, type SafebotLimits } from '../limits.js'
import type {
  Acknowledgement,
  AgentInRoom,
  Claim,
  MessagePage,
  NewMessage,
  RoomStatus,
  SafebotService,
  WaitRequest,
} from '../service.js'
import { EventStreams } from './event-streams.js'
import { Identities } from './identities.js'
import { isBase64Of, isCanonicalBase64, PublicKeys } from './keys.js'
import { type Identity, MAX_CIPHERTEXT_CHARS, MAX_SENDER_CHARS, type Room } from './model.js'
import { Overview } from './overview.js'
import { type ListeningSnapshot, Presence } from './presence.js'
import { badMessage, badSenderSignature, lockNeedsSenderSignature, signatureRequired } from './refusals.js'
import type { RoomTransaction } from './room-transaction.js'
import { checkRoomId, RoomPins, Rooms } from './rooms.js'
import { type Signature, Signatures } from './signatures.js'
import { pinnedRoomsIn, type SafebotStore } from './store.js'
import { type LocalClaimRequest, Tasks } from './tasks.js'
import { RoomWaiters } from './waiters.js'

/** Length of the nonce of a sealed message, in bytes. */
const NONCE_BYTES = 24

/** Every id in `reply_to` matches this. */
const MESSAGE_ID = /^[A-Za-z0-9_-]{8,64}$/

/** Limits of a message's requested lifetime, in milliseconds. The service's numbers. */
const TTL_MS = { min: 30_000, max: 366 * 24 * 60 * 60_000 } as const

/**
 * Checks the fields of a new message.
 *
 * @throws ServiceRefusal 400 `bad message`, with the reason as its hint
 */
function checkPost({ ciphertext, nonce, sender, replyTo, ttlMs }: NewMessage): void {
  if (ciphertext.length > MAX_CIPHERTEXT_CHARS) {
    throw badMessage(
      `the sealed text has ${ciphertext.length} characters, and the maximum is ${MAX_CIPHERTEXT_CHARS} ` +
        '(98,288 bytes of UTF-8): send the text in several messages',
    )
  }
  if (!isCanonicalBase64(ciphertext)) throw badMessage('ciphertext is not canonical base64')
  if (!isBase64Of(NONCE_BYTES, nonce)) {
    throw badMessage(`nonce is not canonical base64 of ${NONCE_BYTES} bytes`)
  }
  if (sender.length > MAX_SENDER_CHARS) {
    throw badMessage(`sender has ${sender.length} characters, and the maximum is ${MAX_SENDER_CHARS}`)
  }
  if (replyTo !== undefined && !MESSAGE_ID.test(replyTo)) {
    throw badMessage('reply_to is not 8 to 64 characters of A-Z a-z 0-9 _ -')
  }
  if (ttlMs !== undefined && ttlMs !== 0 && !(ttlMs >= TTL_MS.min && ttlMs <= TTL_MS.max)) {
    throw badMessage(`ttl_ms is ${ttlMs}: send 0, or a number from ${TTL_MS.min} to ${TTL_MS.max}`)
  }
}

/** Maximum number of messages in one answer of `wait`. The service's number. */
const MAX_WAIT_MESSAGES = 500

/** The answer for a room that does not exist. */
const MISSING_ROOM_PAGE: MessagePage = { exists: false, messages: [], lastSeq: 0, woken: false }

export interface LocalServiceOptions {
  store: SafebotStore
  clock: Clock
  /** Machine time. Real clients sign with it. Default: `clock`. */
  machine?: Clock
  ids: IdSource
  contract: Contract
  limits: SafebotLimits
}

/** The handle that has signed a message, and its signature. */
export interface SenderSignature {
  handle: string
  signature: Signature
}

/** The properties of an HTTP request that posts a message. */
export interface PostOptions {
  /** The caller's address, for the rate limit. */
  address: string
  /** Undefined: the message is not signed. */
  senderSignature: SenderSignature | undefined
  /** Whether the room is to accept only signed messages, from this message on. */
  locksRoom: boolean
}

/** A wait request to the service in this process. */
export interface LocalWaitRequest extends WaitRequest {
  /** The caller's address. Undefined: the limits of waiting requests do not apply. */
  address?: string
}

/** A snapshot of the service, without connections and waiting requests. */
export interface ServiceState {
  readonly records: readonly PartitionDump[]
  readonly listening: ListeningSnapshot
  readonly rates: RatesSnapshot
  /** Instant of the last sweep of idle rooms, in milliseconds since the epoch. */
  readonly sweptAt: number
}

/** The SafeBot service in this process. It combines rooms, identities, presence, event streams and tasks. */
export class LocalService implements SafebotService {
  readonly store: SafebotStore
  readonly identities: Identities
  readonly signatures: Signatures
  readonly presence: Presence
  readonly rates: RateLimits
  readonly rooms: Rooms
  readonly eventStreams: EventStreams
  readonly overview: Overview
  /** Every change takes this lock in shared mode. Reset, restore and snapshot take it in exclusive mode. */
  readonly lock = new RwLock()
  readonly #clock: Clock
  readonly #ids: IdSource
  readonly #waiters: RoomWaiters
  readonly #tasks: Tasks
  readonly #pins: RoomPins

  constructor({ store, clock, machine = clock, ids, contract, limits }: LocalServiceOptions) {
    const { lock } = this
    const keys = new PublicKeys()
    const pins = new RoomPins(clock, store)
    const capacity = limits.signaturesPerHandle
    const signatures = new Signatures({ store, clock, machine, keys, capacity })
    const presence = new Presence(clock, pins)
    const rooms = new Rooms({ store, clock, contract, pins, limits, lock })
    const waiters = new RoomWaiters({ clock, pins, contract, limits, store })
    this.store = store
    this.identities = new Identities({ store, clock, keys, signatures, cap: limits.identities, lock })
    this.signatures = signatures
    this.presence = presence
    this.rates = new RateLimits(clock, limits)
    this.rooms = rooms
    this.eventStreams = new EventStreams(rooms, waiters, presence)
    this.overview = new Overview(store, rooms, presence, waiters)
    this.#clock = clock
    this.#ids = ids
    this.#waiters = waiters
    this.#tasks = new Tasks({ rooms, waiters, clock, ids, contract })
    this.#pins = pins
    const { records } = store
    records.onUnavailable(refusal => waiters.refuse(refusal))
    records.onGap(() => {
      waiters.recheckAll()
      void pins.recordAll()
    })
  }

  /**
   * See `SafebotService.post`.
   *
   * @throws ServiceRefusal 400, 403 or 503
   */
  async post(roomId: string, post: NewMessage, signAs?: string): Promise<{ id: string; seq: number }> {
    checkPost(post)
    if (signAs === undefined) return this.#append(roomId, post, false)
    // Only the owner of a registered handle has its key, so the tools of this process cannot sign for it.
    if ((await this.store.identity(signAs)) !== undefined) throw signatureRequired()
    return this.#append(roomId, { ...post, sender: `@${signAs}` }, true)
  }

  /**
   * Posts a message for the HTTP API, where the caller may sign it.
   *
   * As in the real service, a message that is refused for its signature (401, or 400 without one) still opens
   * the room.
   *
   * @throws ServiceRefusal 400, 401, 403, 429 or 503
   */
  async postOverHttp(
    roomId: string,
    post: NewMessage,
    { address, senderSignature, locksRoom }: PostOptions,
  ): Promise<{ id: string; seq: number }> {
    checkRoomId(roomId)
    checkPost(post)
    this.rates.spend(address, roomId, 1)
    if (senderSignature === undefined && !locksRoom) return this.#append(roomId, post, false)
    await this.rooms.open(roomId)
    if (senderSignature === undefined) throw lockNeedsSenderSignature()
    await this.#checkSenderSignature(roomId, post, senderSignature)
    return this.#append(roomId, { ...post, sender: `@${senderSignature.handle}` }, true, locksRoom)
  }

  transcript(roomId: string, after: number, limit: number): Promise<MessagePage> {
    return this.rooms.transaction(roomId, (tx, room) =>
      room === undefined ? MISSING_ROOM_PAGE : readPage(tx, room, after, limit),
    )
  }

  /**
   * Returns the messages after `after`, or waits for one.
   *
   * As in the real service, a request that has waited gets exactly one message. If `after` is higher than the
   * room's last `seq`, the request gets the next message, although its `seq` may be lower than `after`.
   */
  async wait(roomId: string, request: LocalWaitRequest, signal: AbortSignal): Promise<MessagePage> {
    let { after } = request
    let page = MISSING_ROOM_PAGE
    for await (const phase of this.#waiters.phases({ ...request, roomId }, signal)) {
      const woken = phase === 'woken'
      page = await this.rooms.transaction(roomId, (tx, room) => {
        if (room === undefined) return { ...MISSING_ROOM_PAGE, woken }
        if (phase === 'waiting') {
          this.rooms.touch(tx)
          after = Math.min(after, room.lastSeq)
        }
        return { ...readPage(tx, room, after, woken ? 1 : MAX_WAIT_MESSAGES), woken }
      })
      if (page.messages.length > 0) return page
      if (!page.exists && request.ifMissing === 'return') return page
    }
    return page
  }

  status(roomId: string): Promise<RoomStatus | undefined> {
    return this.rooms.transaction(roomId, (tx, room) => {
      if (room === undefined) return undefined
      const now = this.#clock.now()
      return {
        participants: this.presence.connectedCount(roomId),
        recentCount: tx.count(),
        lastSeq: room.lastSeq,
        ageSeconds: Math.floor((now - room.createdAt) / 1000),
        idleSeconds: Math.floor((now - room.activeAt) / 1000),
        signedOnly: room.signedOnly,
      }
    })
  }

  claim(roomId: string, request: LocalClaimRequest, signal: AbortSignal): Promise<Claim> {
    return this.#tasks.claim(roomId, request, signal)
  }

  ack(roomId: string, handle: string, claimId: string, seq: number): Promise<Acknowledgement> {
    return this.#tasks.ack(roomId, handle, claimId, seq)
  }

  release(roomId: string, handle: string, claimId: string): Promise<void> {
    return this.#tasks.release(roomId, handle, claimId)
  }

  join(roomId: string, { label }: AgentInRoom): () => void {
    const leave = this.presence.join(roomId, { name: label })
    this.presence.announce(roomId)
    return leave
  }

  /**
   * Records that an agent listens in a room without a connection. Keeps the room active.
   *
   * @returns whether the room exists
   */
  recordListening(roomId: string, name: string, boxPub: string | undefined): Promise<boolean> {
    return this.rooms.transaction(roomId, (tx, room) => {
      if (room === undefined) return false
      this.rooms.touch(tx)
      this.presence.recordListening(roomId, name, boxPub)
      return true
    })
  }

  /** Returns a snapshot. The caller must hold {@link lock} in exclusive mode. */
  async snapshot(): Promise<ServiceState> {
    return {
      records: await this.store.dump(),
      listening: this.presence.snapshot(),
      rates: this.rates.snapshot(),
      sweptAt: this.rooms.sweptAt,
    }
  }

  /**
   * Replaces the state by a snapshot. Waiting requests are refused, event streams end, and all participants
   * leave. The caller must hold {@link lock} in exclusive mode.
   *
   * @param rejoin makes the agents of open sessions present again
   */
  async restore(state: ServiceState, rejoin: () => void): Promise<void> {
    this.#endConnections(state.listening)
    await this.store.load(state.records)
    this.rates.restore(state.rates)
    this.rooms.restore(state.sweptAt)
    rejoin()
    await this.#pins.restore(pinnedRoomsIn(state.records))
  }

  /**
   * Adapts this replica after another replica has replaced the stored state: refuses waiting requests, ends
   * event streams, removes all participants, and resets the rate limits.
   */
  handleForeignRestore(): void {
    this.#endConnections({ listening: [], sweptAt: 0 })
    this.rates.restore({ bySubject: [], byAddress: [] })
  }

  /** Ends waiting requests with `shutting_down`, and event streams. */
  async close(): Promise<void> {
    this.#waiters.close()
  }

  #endConnections(listening: ListeningSnapshot): void {
    this.#waiters.reset()
    this.presence.restore(listening)
  }

  async #checkSenderSignature(
    roomId: string,
    { ciphertext }: NewMessage,
    { handle, signature }: SenderSignature,
  ): Promise<Identity> {
    const identity = await this.store.identity(handle)
    if (identity === undefined) throw badSenderSignature(`register "${handle}" first`)
    if (await this.signatures.verifyMessage(identity, signature, roomId, ciphertext)) return identity
    throw badSenderSignature(
      'sign "room-msg <room> <ts> <nonce> <sha256 of the ciphertext>" again, with the current time',
    )
  }

  /**
   * Appends a checked message to the buffer of its room, and opens the room if it does not exist.
   *
   * @param locksRoom whether the room is to accept only signed messages from now on
   */
  async #append(
    roomId: string,
    post: NewMessage,
    senderVerified: boolean,
    locksRoom = false,
  ): Promise<{ id: string; seq: number }> {
    const { ciphertext, nonce, sender, replyTo } = post
    // The client sends 0 for no limit. Readers in the real service do not see it.
    const ttlMs = post.ttlMs === 0 ? undefined : post.ttlMs
    return this.rooms.addingTransaction(roomId, (tx, existing) => {
      if (existing?.signedOnly === true && !senderVerified) throw signatureRequired()
      this.rooms.checkSpace(tx, ciphertext)
      const room = existing ?? this.rooms.create(tx, roomId)
      const seq = this.rooms.nextSeq(tx, room)
      const now = this.#clock.now()
      const id = this.#ids.uuid()
      tx.append({
        seq,
        id,
        sender,
        senderVerified,
        ciphertext,
        nonce,
        ts: now,
        ...defined({ replyTo, ttlMs }),
      })
      tx.saveRoom({ ...room, lastSeq: seq, activeAt: now, signedOnly: room.signedOnly || locksRoom })
      tx.announce()
      return { id, seq }
    })
  }
}

function readPage(tx: RoomTransaction, room: Room, after: number, limit: number): MessagePage {
  return { exists: true, messages: tx.messages(after, limit), lastSeq: room.lastSeq, woken: false }
}
