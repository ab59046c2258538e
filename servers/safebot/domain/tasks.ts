import type { Clock } from '../../../shared/clock/clock.js'
import type { IdSource } from '../../../shared/ids.js'
import type { Contract } from '../contract.js'
import type { Acknowledgement, Claim, ClaimRequest } from '../service.js'
import type { RoomTransaction } from '../store/store.js'
import { Consumer, LEASE_MS } from './consumer.js'
import type { Room, StoredMessage } from './model.js'
import type { Rooms } from './rooms.js'
import type { Moment, RoomWaiters } from './waiters.js'

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

export interface TasksOptions {
  rooms: Rooms
  waiters: RoomWaiters
  clock: Clock
  ids: IdSource
  contract: Contract
}

/** The delivery of messages as tasks, at least once. */
export class Tasks {
  readonly #options: TasksOptions

  constructor(options: TasksOptions) {
    this.#options = options
  }

  /** See `SafebotService.claim`. */
  async claim(roomId: string, request: LocalClaimRequest, signal: AbortSignal): Promise<Claim> {
    let claim = NO_ROOM
    for await (const moment of this.#options.waiters.moments({ ...request, roomId }, signal)) {
      claim = await this.#look(roomId, request, moment)
      if (claim.held !== undefined) return claim
      if (!claim.exists && request.ifMissing === 'return') return claim
    }
    return claim
  }

  /** Claims the next message in a room, if there is one now. */
  #look(roomId: string, request: LocalClaimRequest, moment: Moment): Promise<Claim> {
    const { rooms, contract } = this.#options
    const { handle, labels } = request
    const look = async (tx: RoomTransaction, room: Room | undefined) => {
      if (room === undefined) return NO_ROOM
      if (moment === 'parking' || contract.claimsKeepRoomAlive) await rooms.touch(tx, room)
      return this.#claimOldest(tx, room, request, moment)
    }
    const senders = new Consumer({ handle, roomId, labels }).ownSenders
    return rooms.enter(roomId, look, { handle, senders })
  }

  ack(roomId: string, handle: string, claimId: string, seq: number): Promise<Acknowledgement> {
    const acknowledge = async (tx: RoomTransaction, room: Room | undefined) => {
      const consumer = await tx.consumer(handle)
      if (consumer === undefined) return { advanced: false, cursor: 0 }
      const { consumer: after, advanced } = consumer.ack(claimId, seq, this.#options.clock.now())
      if (advanced) await tx.saveConsumer(after)
      if (room !== undefined && this.#options.contract.claimsKeepRoomAlive)
        await this.#options.rooms.touch(tx, room)
      return { advanced, cursor: after.cursor }
    }
    return this.#options.rooms.enter(roomId, acknowledge, { handle })
  }

  async release(roomId: string, handle: string, claimId: string): Promise<void> {
    const giveBack = async (tx: RoomTransaction) => {
      const consumer = await tx.consumer(handle)
      if (consumer === undefined) return
      await tx.saveConsumer(consumer.release(claimId))
      await tx.announce()
    }
    await this.#options.rooms.enter(roomId, giveBack, { handle })
    // Another worker of the same handle may be parked: the message is there for it now.
    this.#options.waiters.wake(roomId)
  }

  /** Claims for `handle` in a room: the lease it holds if that is still good, else the oldest message it has not had. */
  async #claimOldest(
    tx: RoomTransaction,
    room: Room,
    { handle, labels, leaseMs = LEASE_MS }: LocalClaimRequest,
    moment: Moment,
  ): Promise<Claim> {
    const now = this.#options.clock.now()
    // As the service does: the cursor of a claim that was parked stays where it was when the claim arrived.
    const oldestSeq = moment === 'woken' ? undefined : await tx.oldestSeq()
    const known = (await tx.consumer(handle)) ?? new Consumer({ handle, roomId: room.id })
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
    const claimId = this.#options.ids.uuid()
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
