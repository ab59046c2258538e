import type { Clock } from '../../../shared/clock/clock.js'
import type { IdSource } from '../../../shared/ids.js'
import type { Contract } from '../contract.js'
import type { Acknowledgement, Claim, ClaimRequest } from '../service.js'
import { Consumer, LEASE_MS } from './consumer.js'
import type { Room, StoredMessage } from './model.js'
import type { RoomTransaction } from './room-transaction.js'
import type { Rooms } from './rooms.js'
import type { Moment, RoomWaiters } from './waiters.js'

const NO_ROOM: Claim = { exists: false, held: undefined, cursor: 0, lastSeq: 0 }

/** A claim request with its lease and its address. */
export interface LocalClaimRequest extends ClaimRequest {
  /** Requested milliseconds of the lease. Default 60 s. */
  leaseMs?: number
  /** The caller's address, if requests of an address are counted. */
  address?: string
}

export interface TasksOptions {
  rooms: Rooms
  waiters: RoomWaiters
  clock: Clock
  ids: IdSource
  contract: Contract
}

/** Delivers messages as tasks, at least once. */
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

  /** Claims the next message in a room, if there is one. */
  #look(roomId: string, request: LocalClaimRequest, moment: Moment): Promise<Claim> {
    const { rooms, contract } = this.#options
    return rooms.enter(roomId, (tx, room) => {
      if (room === undefined) return NO_ROOM
      if (moment === 'parking' || contract.claimsKeepRoomAlive) rooms.touch(tx)
      return this.#claimOldest(tx, room, request, moment)
    })
  }

  ack(roomId: string, handle: string, claimId: string, seq: number): Promise<Acknowledgement> {
    return this.#options.rooms.enter(roomId, (tx, room) => {
      const consumer = tx.consumer(handle)
      if (consumer === undefined) return { advanced: false, cursor: 0 }
      const { consumer: after, advanced } = consumer.ack(claimId, seq, this.#options.clock.now())
      if (advanced) tx.saveConsumer(after)
      if (room !== undefined && this.#options.contract.claimsKeepRoomAlive) this.#options.rooms.touch(tx)
      return { advanced, cursor: after.cursor }
    })
  }

  async release(roomId: string, handle: string, claimId: string): Promise<void> {
    await this.#options.rooms.enter(roomId, tx => {
      const consumer = tx.consumer(handle)
      if (consumer === undefined) return
      tx.saveConsumer(consumer.release(claimId))
      // A request of the same handle may wait. The message is available for it now.
      tx.announce()
    })
  }

  /**
   * Claims for `handle`: returns its valid lease, or takes the oldest message that it has not acknowledged.
   */
  #claimOldest(
    tx: RoomTransaction,
    room: Room,
    { handle, labels, leaseMs = LEASE_MS }: LocalClaimRequest,
    moment: Moment,
  ): Claim {
    const now = this.#options.clock.now()
    // As in the service: the cursor of a waiting claim stays at its position of the arrival.
    const oldestSeq = moment === 'woken' ? undefined : tx.oldestSeq()
    const known = tx.consumer(handle) ?? new Consumer({ handle, roomId: room.id })
    const consumer =
      oldestSeq === undefined ? known.withLabels(labels) : known.withLabels(labels).from(oldestSeq)
    const seen = { exists: true, cursor: consumer.cursor, lastSeq: room.lastSeq }
    const held = heldMessage(tx, consumer, now)
    if (held !== undefined) {
      tx.saveClaim(consumer, now)
      return { ...seen, held }
    }
    const message = tx.next(consumer.cursor, consumer.ownSenders)
    if (message === undefined) {
      tx.saveClaim(consumer, now)
      return { ...seen, held: undefined }
    }
    const claimId = this.#options.ids.uuid()
    tx.saveClaim(consumer.take(message.seq, claimId, now, leaseMs), now)
    return { ...seen, held: { claimId, message } }
  }
}

function heldMessage(
  tx: RoomTransaction,
  consumer: Consumer,
  now: number,
): { claimId: string; message: StoredMessage } | undefined {
  const lease = consumer.held(now)
  if (lease === null) return undefined
  const message = tx.message(lease.seq)
  return message === undefined ? undefined : { claimId: lease.claimId, message }
}
