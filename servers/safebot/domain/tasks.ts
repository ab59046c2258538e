import type { Clock } from '../../../shared/clock/clock.js'
import type { IdSource } from '../../../shared/ids.js'
import type { Contract } from '../contract.js'
import type { Acknowledgement, Claim, ClaimRequest } from '../service.js'
import { Consumer, LEASE_MS } from './consumer.js'
import type { Room, StoredMessage } from './model.js'
import type { RoomTransaction } from './room-transaction.js'
import type { Rooms } from './rooms.js'
import type { RequestPhase, RoomWaiters } from './waiters.js'

const MISSING_ROOM_CLAIM: Claim = { exists: false, task: undefined, cursor: 0, lastSeq: 0 }

/** A claim request to the service in this process. */
export interface LocalClaimRequest extends ClaimRequest {
  /** Duration of the lease in milliseconds. Default {@link LEASE_MS}. */
  leaseMs?: number
  /** The caller's address. Undefined: the limits of waiting requests do not apply. */
  address?: string
}

export interface TasksOptions {
  rooms: Rooms
  waiters: RoomWaiters
  clock: Clock
  ids: IdSource
  contract: Contract
}

/** Delivers messages as tasks. Each handle gets each message of other senders at least once. */
export class Tasks {
  readonly #options: TasksOptions

  constructor(options: TasksOptions) {
    this.#options = options
  }

  /** See `SafebotService.claim`. */
  async claim(roomId: string, request: LocalClaimRequest, signal: AbortSignal): Promise<Claim> {
    let claim = MISSING_ROOM_CLAIM
    for await (const phase of this.#options.waiters.phases({ ...request, roomId }, signal)) {
      claim = await this.#claimNow(roomId, request, phase)
      if (claim.task !== undefined) return claim
      if (!claim.exists && request.ifMissing === 'return') return claim
    }
    return claim
  }

  /** Claims the next task in a room without waiting. The result has no task if there is none. */
  #claimNow(roomId: string, request: LocalClaimRequest, phase: RequestPhase): Promise<Claim> {
    const { rooms, contract } = this.#options
    return rooms.transaction(roomId, (tx, room) => {
      if (room === undefined) return MISSING_ROOM_CLAIM
      if (phase === 'waiting' || contract.claimsKeepRoomAlive) rooms.touch(tx)
      return this.#claimOldest(tx, room, request, phase)
    })
  }

  /** See `SafebotService.ack`. The room need not exist any more. */
  ack(roomId: string, handle: string, claimId: string, seq: number): Promise<Acknowledgement> {
    return this.#options.rooms.transaction(roomId, (tx, room) => {
      const consumer = tx.consumer(handle)
      if (consumer === undefined) return { advanced: false, cursor: 0 }
      const { consumer: after, advanced } = consumer.ack(claimId, seq, this.#options.clock.now())
      if (advanced) tx.saveConsumer(after)
      if (room !== undefined && this.#options.contract.claimsKeepRoomAlive) this.#options.rooms.touch(tx)
      return { advanced, cursor: after.cursor }
    })
  }

  /** See `SafebotService.release`. */
  async release(roomId: string, handle: string, claimId: string): Promise<void> {
    await this.#options.rooms.transaction(roomId, tx => {
      const consumer = tx.consumer(handle)
      if (consumer === undefined) return
      tx.saveConsumer(consumer.release(claimId))
      // Another request of the same handle may be waiting. It can claim the message now.
      tx.announce()
    })
  }

  /**
   * Returns the message of the handle's valid lease, if it has one. Otherwise leases the oldest message that
   * the handle has not acknowledged.
   */
  #claimOldest(
    tx: RoomTransaction,
    room: Room,
    { handle, labels, leaseMs = LEASE_MS }: LocalClaimRequest,
    phase: RequestPhase,
  ): Claim {
    const now = this.#options.clock.now()
    // As in the real service, the cursor skips dropped messages when a claim arrives, and not when it wakes
    // up.
    const oldestSeq = phase === 'woken' ? undefined : tx.oldestSeq()
    const known = tx.consumer(handle) ?? new Consumer({ handle, roomId: room.id })
    const consumer =
      oldestSeq === undefined ? known.withLabels(labels) : known.withLabels(labels).skipTo(oldestSeq)
    const position = { exists: true, cursor: consumer.cursor, lastSeq: room.lastSeq }
    const task = leasedTask(tx, consumer, now)
    if (task !== undefined) {
      tx.saveClaim(consumer, now)
      return { ...position, task }
    }
    const message = tx.next(consumer.cursor, consumer.ownSenders)
    if (message === undefined) {
      tx.saveClaim(consumer, now)
      return { ...position, task: undefined }
    }
    const claimId = this.#options.ids.uuid()
    tx.saveClaim(consumer.startLease(message.seq, claimId, now, leaseMs), now)
    return { ...position, task: { claimId, message } }
  }
}

/**
 * Returns the task of a valid lease. Undefined if there is no valid lease, or its message is no longer
 * buffered.
 */
function leasedTask(
  tx: RoomTransaction,
  consumer: Consumer,
  now: number,
): { claimId: string; message: StoredMessage } | undefined {
  const lease = consumer.validLease(now)
  if (lease === null) return undefined
  const message = tx.message(lease.seq)
  return message === undefined ? undefined : { claimId: lease.claimId, message }
}
