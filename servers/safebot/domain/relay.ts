import type { Clock } from '../../../shared/clock/clock.js'
import type { IdSource } from '../../../shared/ids.js'
import type { Contract } from '../contract.js'
import type {
  Acknowledgement,
  Claim,
  ClaimRequest,
  Page,
  Post,
  RoomStatus,
  SafebotService,
} from '../service.js'
import type { RoomTransaction, SafebotStore } from '../store/store.js'
import { Consumer } from './consumer.js'
import { RoomHolders } from './holders.js'
import { checkPost } from './post.js'
import { shuttingDown } from './refusals.js'
import type { Room, StoredMessage } from './room.js'
import { Rooms } from './rooms.js'
import { RoomWaiters } from './waiters.js'

/** Messages in one answer of `wait`. */
const WAIT_PAGE = 500

/** Rooms a handle has a cursor in; past it the least recently claimed is let go. */
const ROOMS_PER_HANDLE = 64

export interface RelayOptions {
  store: SafebotStore
  clock: Clock
  ids: IdSource
  contract: Contract
}

/** The service in this process: rooms, buffers, and the delivery of tasks at least once. */
export class Relay implements SafebotService {
  readonly #store: SafebotStore
  readonly #clock: Clock
  readonly #ids: IdSource
  readonly #contract: Contract
  readonly #rooms: Rooms
  readonly #presence: RoomHolders
  readonly #participants = new Map<string, number>()
  readonly #waiters: RoomWaiters

  constructor({ store, clock, ids, contract }: RelayOptions) {
    this.#store = store
    this.#clock = clock
    this.#ids = ids
    this.#contract = contract
    this.#presence = new RoomHolders(clock)
    this.#rooms = new Rooms(store, clock, contract, this.#presence)
    this.#waiters = new RoomWaiters(clock, this.#presence)
  }

  async post(roomId: string, post: Post): Promise<{ id: string; seq: number }> {
    checkPost(post)
    const id = this.#ids.uuid()
    const seq = await this.#rooms.enter(roomId, async (tx, existing) => {
      const room = existing ?? (await this.#rooms.create(tx, roomId))
      const seq = await this.#rooms.nextSeq(tx, room)
      const now = this.#clock.now()
      await tx.append({ seq, id, ...post, senderVerified: false, ts: now })
      await tx.saveRoom({ ...room, lastSeq: seq, activeAt: now })
      return seq
    })
    this.#waiters.wake(roomId)
    return { id, seq }
  }

  transcript(roomId: string, after: number, limit: number): Promise<Page> {
    return this.#rooms.enter(roomId, (tx, room) => readPage(tx, room, after, limit))
  }

  async wait(roomId: string, after: number, timeoutMs: number, signal: AbortSignal): Promise<Page> {
    const look = (parking: boolean) =>
      this.#rooms.enter(roomId, async (tx, room) => {
        if (parking && room !== undefined) await this.#rooms.touch(tx, room)
        const page = await readPage(tx, room, after, WAIT_PAGE)
        return { found: page.messages.length > 0 || this.#leaves(room), result: page }
      })
    return this.#until(roomId, timeoutMs, signal, look)
  }

  status(roomId: string): Promise<RoomStatus | undefined> {
    return this.#rooms.enter(roomId, async (tx, room) => {
      if (room === undefined) return undefined
      const now = this.#clock.now()
      return {
        participants: this.#participants.get(roomId) ?? 0,
        recentCount: await tx.count(),
        lastSeq: room.lastSeq,
        ageSeconds: Math.floor((now - room.createdAt) / 1000),
        idleSeconds: Math.floor((now - room.activeAt) / 1000),
      }
    })
  }

  claim(roomId: string, request: ClaimRequest, signal: AbortSignal): Promise<Claim> {
    const look = (parking: boolean) =>
      this.#rooms.enter(roomId, async (tx, room) => {
        if (room === undefined) {
          return { found: this.#leaves(room), result: { held: undefined, cursor: 0, lastSeq: 0 } }
        }
        if (parking || this.#contract.claimsKeepRoomAlive) await this.#rooms.touch(tx, room)
        const result = await this.#claimOldest(tx, room, request)
        return { found: result.held !== undefined, result }
      })
    return this.#until(roomId, request.timeoutMs, signal, look)
  }

  ack(roomId: string, handle: string, claimId: string, seq: number): Promise<Acknowledgement> {
    return this.#rooms.enter(roomId, async (tx, room) => {
      const consumer = await tx.consumer(handle)
      if (consumer === undefined) return { advanced: false, cursor: 0 }
      const { consumer: after, advanced } = consumer.ack(claimId, seq, this.#clock.now())
      if (advanced) await tx.saveConsumer(after)
      if (room !== undefined && this.#contract.claimsKeepRoomAlive) await this.#rooms.touch(tx, room)
      return { advanced, cursor: after.cursor }
    })
  }

  async release(roomId: string, handle: string, claimId: string): Promise<void> {
    await this.#rooms.enter(roomId, async tx => {
      const consumer = await tx.consumer(handle)
      if (consumer !== undefined) await tx.saveConsumer(consumer.release(claimId))
    })
    // Another worker of the same handle may be parked: the message is there for it now.
    this.#waiters.wake(roomId)
  }

  join(roomId: string): () => void {
    const release = this.#presence.hold(roomId)
    this.#count(roomId, 1)
    let present = true
    return () => {
      if (!present) return
      present = false
      this.#count(roomId, -1)
      release()
    }
  }

  async close(): Promise<void> {
    this.#waiters.close()
    await this.#store.close()
  }

  /** Claims for `handle` in a room: the lease it holds if that is still good, else the oldest message it has not had. */
  async #claimOldest(tx: RoomTransaction, room: Room, { handle, labels }: ClaimRequest): Promise<Claim> {
    const now = this.#clock.now()
    const oldest = await tx.oldest()
    const known = (await tx.consumer(handle)) ?? new Consumer(handle, room.id)
    const consumer = oldest === undefined ? known.named(labels) : known.named(labels).from(oldest.seq)
    const held = await heldMessage(tx, consumer, now)
    if (held !== undefined) {
      await tx.saveClaim(consumer, ROOMS_PER_HANDLE)
      return { held, cursor: consumer.cursor, lastSeq: room.lastSeq }
    }
    const message = await tx.next(consumer.cursor, consumer.ownSenders)
    if (message === undefined) {
      await tx.saveClaim(consumer, ROOMS_PER_HANDLE)
      return { held: undefined, cursor: consumer.cursor, lastSeq: room.lastSeq }
    }
    const claimId = this.#ids.uuid()
    await tx.saveClaim(consumer.take(message.seq, claimId, now), ROOMS_PER_HANDLE)
    return { held: { claimId, message }, cursor: consumer.cursor, lastSeq: room.lastSeq }
  }

  /** Whether a call leaves at once because nobody has opened the room yet. */
  #leaves(room: Room | undefined): boolean {
    return room === undefined && !this.#contract.waitsForMissingRoom
  }

  /**
   * Looks, and parks until there is something to see: a message, the deadline, the caller's departure.
   *
   * Having entered the waiters it looks once more, so that nothing that came in between is missed. What it sees
   * after waking counts as work of the clock's `advance`, if that is what woke it.
   *
   * @throws Refusal `shutting_down` if the service closes meanwhile
   */
  async #until<T>(
    roomId: string,
    timeoutMs: number,
    signal: AbortSignal,
    look: (parking: boolean) => Promise<{ found: boolean; result: T }>,
  ): Promise<T> {
    const deadline = this.#clock.now() + timeoutMs
    const first = await look(false)
    if (first.found) return first.result
    const waiter = this.#waiters.enter(roomId)
    try {
      for (let parking = true; ; parking = false) {
        const seen = await this.#tracked(look(parking))
        if (seen.found) return seen.result
        const reason = await waiter.next(deadline, signal)
        if (reason === 'closing') throw shuttingDown()
        if (reason === 'aborted') return seen.result
        if (reason === 'due' || this.#contract.anyMessageEndsBlock)
          return (await this.#tracked(look(false))).result
      }
    } finally {
      waiter.leave()
    }
  }

  #tracked<T>(work: Promise<T>): Promise<T> {
    this.#clock.track(work)
    return work
  }

  #count(roomId: string, by: number): void {
    const participants = (this.#participants.get(roomId) ?? 0) + by
    if (participants > 0) this.#participants.set(roomId, participants)
    else this.#participants.delete(roomId)
  }
}

async function heldMessage(
  tx: RoomTransaction,
  consumer: Consumer,
  now: number,
): Promise<{ claimId: string; message: StoredMessage } | undefined> {
  const lease = consumer.held(now)
  if (lease === null) return undefined
  const message = await tx.message(lease.seq)
  return message === undefined ? undefined : { claimId: lease.claimId, message }
}

async function readPage(
  tx: RoomTransaction,
  room: Room | undefined,
  after: number,
  limit: number,
): Promise<Page> {
  if (room === undefined) return { exists: false, messages: [], lastSeq: 0 }
  return { exists: true, messages: await tx.messages(after, limit), lastSeq: room.lastSeq }
}
