import type { Clock } from '../../../shared/clock/clock.js'
import type { IdSource } from '../../../shared/ids.js'
import type { Contract } from '../contract.js'
import type { Acknowledgement, Claim, ClaimRequest } from '../service.js'
import type { RoomTransaction } from '../store/store.js'
import { Consumer, LEASE_MS } from './consumer.js'
import type { Room, StoredMessage } from './model.js'
import type { Rooms } from './rooms.js'
import type { Parking, RoomWaiters } from './waiters.js'

/** Rooms a handle has a cursor in; past it the least recently claimed is let go. */
const ROOMS_PER_HANDLE = 64

const NO_ROOM: Claim = { exists: false, held: undefined, cursor: 0, lastSeq: 0 }

/** A claim as it reaches the service itself. */
export interface LocalClaimRequest extends ClaimRequest {
  /** How long the lease is to last; default 60 s. */
  leaseMs?: number
  /** Where the call comes from, if those are to be counted. */
  address?: string
}

/** The delivery of messages as tasks, at least once. */
export class Tasks {
  readonly #rooms: Rooms
  readonly #parking: Parking
  readonly #waiters: RoomWaiters
  readonly #clock: Clock
  readonly #ids: IdSource
  readonly #contract: Contract

  constructor(
    rooms: Rooms,
    parking: Parking,
    waiters: RoomWaiters,
    clock: Clock,
    ids: IdSource,
    contract: Contract,
  ) {
    this.#rooms = rooms
    this.#parking = parking
    this.#waiters = waiters
    this.#clock = clock
    this.#ids = ids
    this.#contract = contract
  }

  claim(roomId: string, request: LocalClaimRequest, signal: AbortSignal): Promise<Claim> {
    const { handle, labels } = request
    const foresight = { handle, senders: new Consumer(handle, roomId).named(labels).ownSenders }
    return this.#parking.until({ ...request, roomId }, signal, moment =>
      this.#rooms.enter(
        roomId,
        async (tx, room) => {
          if (room === undefined) return { found: request.ifMissing === 'return', result: NO_ROOM }
          if (moment === 'parking' || this.#contract.claimsKeepRoomAlive) await this.#rooms.touch(tx, room)
          const result = await this.#claimOldest(tx, room, request)
          return { found: result.held !== undefined, result }
        },
        foresight,
      ),
    )
  }

  ack(roomId: string, handle: string, claimId: string, seq: number): Promise<Acknowledgement> {
    const acknowledge = async (tx: RoomTransaction, room: Room | undefined) => {
      const consumer = await tx.consumer(handle)
      if (consumer === undefined) return { advanced: false, cursor: 0 }
      const { consumer: after, advanced } = consumer.ack(claimId, seq, this.#clock.now())
      if (advanced) await tx.saveConsumer(after)
      if (room !== undefined && this.#contract.claimsKeepRoomAlive) await this.#rooms.touch(tx, room)
      return { advanced, cursor: after.cursor }
    }
    return this.#rooms.enter(roomId, acknowledge, { handle })
  }

  async release(roomId: string, handle: string, claimId: string): Promise<void> {
    const giveBack = async (tx: RoomTransaction) => {
      const consumer = await tx.consumer(handle)
      if (consumer === undefined) return
      await tx.saveConsumer(consumer.release(claimId))
      await tx.announce()
    }
    await this.#rooms.enter(roomId, giveBack, { handle })
    // Another worker of the same handle may be parked: the message is there for it now.
    this.#waiters.wake(roomId)
  }

  /** Claims for `handle` in a room: the lease it holds if that is still good, else the oldest message it has not had. */
  async #claimOldest(
    tx: RoomTransaction,
    room: Room,
    { handle, labels, leaseMs = LEASE_MS }: LocalClaimRequest,
  ): Promise<Claim> {
    const now = this.#clock.now()
    const oldestSeq = await tx.oldestSeq()
    const known = (await tx.consumer(handle)) ?? new Consumer(handle, room.id)
    const consumer = oldestSeq === undefined ? known.named(labels) : known.named(labels).from(oldestSeq)
    const seen = { exists: true, cursor: consumer.cursor, lastSeq: room.lastSeq }
    const held = await heldMessage(tx, consumer, now)
    if (held !== undefined) {
      await tx.saveClaim(consumer, ROOMS_PER_HANDLE)
      return { ...seen, held }
    }
    const message = await tx.next(consumer.cursor, consumer.ownSenders)
    if (message === undefined) {
      await tx.saveClaim(consumer, ROOMS_PER_HANDLE)
      return { ...seen, held: undefined }
    }
    const claimId = this.#ids.uuid()
    await tx.saveClaim(consumer.take(message.seq, claimId, now, leaseMs), ROOMS_PER_HANDLE)
    return { ...seen, held: { claimId, message } }
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
