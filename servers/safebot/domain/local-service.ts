import type { Clock } from '../../../shared/clock/clock.js'
import type { IdSource } from '../../../shared/ids.js'
import type { PartitionDump } from '../../../shared/records/partition.js'
import { defined } from '../../../shared/util/defined.js'
import { RwLock } from '../../../shared/util/locks.js'
import type { Contract } from '../contract.js'
import { Rates, type SafebotLimits, type SpentRates } from '../limits.js'
import type {
  Acknowledgement,
  Appearance,
  Claim,
  Page,
  Post,
  RoomStatus,
  SafebotService,
  WaitRequest,
} from '../service.js'
import { Feeds } from './feeds.js'
import { Identities } from './identities.js'
import { isBase64Of, isCanonicalBase64, PublicKeys } from './keys.js'
import { type Identity, MAX_CIPHERTEXT_CHARS, MAX_SENDER_CHARS, type Room } from './model.js'
import { Overview } from './overview.js'
import { type Listening, Presence } from './presence.js'
import { badMessage, signatureMissing, signatureRefused, signedOnly } from './refusals.js'
import type { RoomTransaction } from './room-transaction.js'
import { checkRoomId, RoomPins, Rooms } from './rooms.js'
import { type Signature, Signatures } from './signatures.js'
import { heldIn, type SafebotStore } from './store.js'
import { type LocalClaimRequest, Tasks } from './tasks.js'
import { RoomWaiters } from './waiters.js'

const NONCE_BYTES = 24

const MESSAGE_ID = /^[A-Za-z0-9_-]{8,64}$/

/** Limits of a message's requested lifetime. 0 means no limit of its own. */
const TTL_MS = { min: 30_000, max: 366 * 24 * 60 * 60_000 } as const

/** @throws ServiceRefusal 400 `bad message` with the reason */
function checkPost({ ciphertext, nonce, sender, replyTo, ttlMs }: Post): void {
  if (ciphertext.length > MAX_CIPHERTEXT_CHARS) {
    throw badMessage(
      `the text seals to ${ciphertext.length} characters and ${MAX_CIPHERTEXT_CHARS} fit (98,288 bytes of UTF-8): send it in parts`,
    )
  }
  if (!isCanonicalBase64(ciphertext)) throw badMessage('ciphertext is not canonical base64')
  if (!isBase64Of(NONCE_BYTES, nonce)) {
    throw badMessage(`nonce is not canonical base64 of ${NONCE_BYTES} bytes`)
  }
  if (sender.length > MAX_SENDER_CHARS) {
    throw badMessage(`sender has ${sender.length} characters: ${MAX_SENDER_CHARS} is the most`)
  }
  if (replyTo !== undefined && !MESSAGE_ID.test(replyTo)) {
    throw badMessage('reply_to is not 8 to 64 of A-Z a-z 0-9 _ -')
  }
  if (ttlMs !== undefined && ttlMs !== 0 && !(ttlMs >= TTL_MS.min && ttlMs <= TTL_MS.max)) {
    throw badMessage(`ttl_ms is ${ttlMs}: it is 0, or from ${TTL_MS.min} to ${TTL_MS.max}`)
  }
}

/** Messages in one answer of `wait`. */
const WAIT_PAGE = 500

/** The page of a missing room. */
const NO_PAGE: Page = { exists: false, messages: [], lastSeq: 0, woken: false }

export interface LocalServiceOptions {
  store: SafebotStore
  clock: Clock
  /** Machine time, which real clients sign with. Default: `clock`. */
  machine?: Clock
  ids: IdSource
  contract: Contract
  limits: SafebotLimits
}

/** The handle and the signature of a signed message. */
export interface Vouching {
  handle: string
  signature: Signature
}

/** The HTTP properties of a message. */
export interface Posting {
  address: string
  vouching: Vouching | undefined
  /** The room accepts signed messages only, from this message on. */
  lock: boolean
}

/** A wait request with its address. */
export interface LocalWaitRequest extends WaitRequest {
  /** The caller's address, if requests of an address are counted. */
  address?: string
}

/** The state of the service, without connections and waiting requests. */
export interface ServiceState {
  readonly records: readonly PartitionDump[]
  readonly listening: Listening
  readonly rates: SpentRates
  readonly sweptAt: number
}

/** The service in this process: rooms, buffers, presence, and delivery of tasks at least once. */
export class LocalService implements SafebotService {
  readonly store: SafebotStore
  readonly identities: Identities
  readonly signatures: Signatures
  readonly presence: Presence
  readonly rates: Rates
  readonly rooms: Rooms
  readonly feeds: Feeds
  readonly overview: Overview
  /** Every change holds the shared lock. A reset or a snapshot holds it exclusively. */
  readonly lock = new RwLock()
  readonly #clock: Clock
  readonly #ids: IdSource
  readonly #waiters: RoomWaiters
  readonly #tasks: Tasks
  readonly #holders: RoomPins

  constructor({ store, clock, machine = clock, ids, contract, limits }: LocalServiceOptions) {
    const { lock } = this
    const keys = new PublicKeys()
    const holders = new RoomPins(clock, store)
    const capacity = limits.signaturesPerHandle
    const signatures = new Signatures({ store, clock, machine, keys, capacity })
    const presence = new Presence(clock, holders)
    const rooms = new Rooms({ store, clock, contract, holders, limits, lock })
    const waiters = new RoomWaiters({ clock, holders, contract, limits, store })
    this.store = store
    this.identities = new Identities({ store, clock, keys, signatures, cap: limits.identities, lock })
    this.signatures = signatures
    this.presence = presence
    this.rates = new Rates(clock, limits)
    this.rooms = rooms
    this.feeds = new Feeds(rooms, waiters, presence)
    this.overview = new Overview(store, rooms, presence, waiters)
    this.#clock = clock
    this.#ids = ids
    this.#waiters = waiters
    this.#tasks = new Tasks({ rooms, waiters, clock, ids, contract })
    this.#holders = holders
    const { records } = store
    records.onUnavailable(refusal => waiters.refuse(refusal))
    records.onGap(() => {
      waiters.lookAgain()
      void holders.recordAgain()
    })
  }

  async post(roomId: string, post: Post, signAs?: string): Promise<{ id: string; seq: number }> {
    checkPost(post)
    if (signAs === undefined) return this.#keep(roomId, post, false)
    // Messages of a registered handle must be signed with its key.
    if ((await this.store.identity(signAs)) !== undefined) throw signedOnly()
    return this.#keep(roomId, { ...post, sender: `@${signAs}` }, true)
  }

  /**
   * Posts a message with an optional signature, as the HTTP API does.
   *
   * @throws ServiceRefusal 400, 401, 403, 429 or 503. A refusal by the rate limit still opens the room.
   */
  async postFrom(
    roomId: string,
    post: Post,
    { address, vouching, lock }: Posting,
  ): Promise<{ id: string; seq: number }> {
    checkRoomId(roomId)
    checkPost(post)
    this.rates.spend(address, roomId, 1)
    if (vouching === undefined && !lock) return this.#keep(roomId, post, false)
    await this.rooms.open(roomId)
    if (vouching === undefined) throw signatureMissing()
    await this.#checkVouching(roomId, post, vouching)
    return this.#keep(roomId, { ...post, sender: `@${vouching.handle}` }, true, lock)
  }

  transcript(roomId: string, after: number, limit: number): Promise<Page> {
    return this.rooms.enter(roomId, (tx, room) =>
      room === undefined ? NO_PAGE : readPage(tx, room, after, limit),
    )
  }

  /**
   * Waits for messages. A request whose `after` is ahead of the room gets the next message. A request that
   * had to wait gets one message only.
   */
  async wait(roomId: string, request: LocalWaitRequest, signal: AbortSignal): Promise<Page> {
    let { after } = request
    let page = NO_PAGE
    for await (const moment of this.#waiters.moments({ ...request, roomId }, signal)) {
      const woken = moment === 'woken'
      page = await this.rooms.enter(roomId, (tx, room) => {
        if (room === undefined) return { ...NO_PAGE, woken }
        if (moment === 'parking') {
          this.rooms.touch(tx)
          after = Math.min(after, room.lastSeq)
        }
        return { ...readPage(tx, room, after, woken ? 1 : WAIT_PAGE), woken }
      })
      if (page.messages.length > 0) return page
      if (!page.exists && request.ifMissing === 'return') return page
    }
    return page
  }

  status(roomId: string): Promise<RoomStatus | undefined> {
    return this.rooms.enter(roomId, (tx, room) => {
      if (room === undefined) return undefined
      const now = this.#clock.now()
      return {
        participants: this.presence.count(roomId),
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

  join(roomId: string, { label }: Appearance): () => void {
    const leave = this.presence.join(roomId, { name: label })
    this.presence.announce(roomId)
    return leave
  }

  /**
   * Records that an agent listens in a room. The room stays active and shows the agent. Returns whether the
   * room exists.
   */
  listening(roomId: string, name: string, boxPub: string | undefined): Promise<boolean> {
    return this.rooms.enter(roomId, (tx, room) => {
      if (room === undefined) return false
      this.rooms.touch(tx)
      this.presence.listening(roomId, name, boxPub)
      return true
    })
  }

  /** Returns the state. The caller must hold the exclusive lock. */
  async snapshot(): Promise<ServiceState> {
    return {
      records: await this.store.dump(),
      listening: this.presence.snapshot(),
      rates: this.rates.snapshot(),
      sweptAt: this.rooms.sweptAt,
    }
  }

  /**
   * Replaces the state. Waiting requests are refused, event streams end, and all participants leave. The
   * caller must hold the exclusive lock.
   *
   * @param rejoin makes agents with an open session present again
   */
  async restore(state: ServiceState, rejoin: () => void): Promise<void> {
    this.#leaveAll(state.listening)
    await this.store.load(state.records)
    this.rates.restore(state.rates)
    this.rooms.restore(state.sweptAt)
    rejoin()
    await this.#holders.restore(heldIn(state.records))
  }

  /** Handles a restore by another process: waiting requests are refused, and all participants leave. */
  wasRestored(): void {
    this.#leaveAll({ listening: [], sweptAt: 0 })
    this.rates.restore({ bySubject: [], byAddress: [] })
  }

  async close(): Promise<void> {
    this.#waiters.close()
  }

  #leaveAll(listening: Listening): void {
    this.#waiters.reset()
    this.presence.restore(listening)
  }

  async #checkVouching(
    roomId: string,
    { ciphertext }: Post,
    { handle, signature }: Vouching,
  ): Promise<Identity> {
    const identity = await this.store.identity(handle)
    if (identity === undefined) throw signatureRefused(`"${handle}" is not registered`)
    if (await this.signatures.coversMessage(identity, signature, roomId, ciphertext)) return identity
    throw signatureRefused(
      'sign "room-msg <room> <ts> <nonce> <sha256 of the ciphertext>" anew, with the present time',
    )
  }

  async #keep(
    roomId: string,
    post: Post,
    senderVerified: boolean,
    lock = false,
  ): Promise<{ id: string; seq: number }> {
    const { ciphertext, nonce, sender, replyTo } = post
    // 0 means no lifetime, and readers do not see it.
    const ttlMs = post.ttlMs === 0 ? undefined : post.ttlMs
    const kept = await this.rooms.enterToAdd(roomId, (tx, existing) => {
      if (existing?.signedOnly === true && !senderVerified) throw signedOnly()
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
      tx.saveRoom({ ...room, lastSeq: seq, activeAt: now, signedOnly: room.signedOnly || lock })
      tx.announce()
      return { id, seq }
    })
    if (lock) this.feeds.locked(roomId)
    return kept
  }
}

function readPage(tx: RoomTransaction, room: Room, after: number, limit: number): Page {
  return { exists: true, messages: tx.messages(after, limit), lastSeq: room.lastSeq, woken: false }
}
