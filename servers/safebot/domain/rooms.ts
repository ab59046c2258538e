import type { Clock } from '../../../shared/clock/clock.js'
import type { RwLock } from '../../../shared/util/locks.js'
import type { Contract } from '../contract.js'
import type { SafebotLimits } from '../limits.js'
import { BUFFER, ROOM_ID, type Room } from './model.js'
import { badRoomId, bufferFull, roomCapReached, type ServiceRefusal } from './refusals.js'
import type { RoomTransaction } from './room-transaction.js'
import type { PinnedRooms, SafebotStore } from './store.js'

/**
 * Milliseconds without activity after which a room is idle. The janitor then evicts it in its next round, so
 * a room is evicted 30 to 45 s after its last activity. The service's number.
 */
const IDLE_MS = 30_000

/** Milliseconds between two rounds of the janitor. The service's number. */
const JANITOR_INTERVAL_MS = 15_000

/**
 * Characters that count against the common buffer for each message, in addition to the ciphertext. The
 * service's number.
 */
export const MESSAGE_OVERHEAD = 512

export interface RoomsOptions {
  store: SafebotStore
  clock: Clock
  contract: Contract
  pins: RoomPins
  limits: Pick<SafebotLimits, 'rooms' | 'bufferBytes'>
  lock: RwLock
}

/**
 * Opens and evicts rooms.
 *
 * The first message or the first event stream opens a room. The janitor evicts idle rooms. No timer runs for
 * it: each transaction computes whether a round of the janitor would have evicted its room by now.
 */
export class Rooms {
  readonly #options: RoomsOptions
  /** Instant of the janitor's first round, in milliseconds since the epoch. */
  readonly #startedAt: number
  #sweptAt: number

  constructor(options: RoomsOptions) {
    const { store, clock } = options
    this.#options = options
    // Replicas that share a store must compute the same rounds.
    this.#startedAt = store.records.shared ? 0 : clock.now()
    this.#sweptAt = clock.now()
  }

  /**
   * Runs `work` in a transaction that locks the room. `work` gets undefined for a room that does not exist or
   * has been evicted.
   *
   * @throws ServiceRefusal 400 for an invalid room id
   * @throws the error of `work`
   */
  async transaction<T>(roomId: string, work: (tx: RoomTransaction, room: Room | undefined) => T): Promise<T> {
    checkRoomId(roomId)
    return this.#options.lock.shared(() => this.#run(roomId, work))
  }

  /**
   * Runs `work` like {@link transaction}. `work` may also open the room and add a message. If there is no
   * space, idle rooms are evicted. If the maximum number of rooms was reached, `work` then runs again.
   *
   * @throws ServiceRefusal 400 for an invalid room id, 503 if there is no space
   * @throws the error of `work`
   */
  async addingTransaction<T>(
    roomId: string,
    work: (tx: RoomTransaction, room: Room | undefined) => T,
  ): Promise<T> {
    checkRoomId(roomId)
    return this.#options.lock.shared(async () => {
      try {
        return await this.#run(roomId, work, true)
      } catch (error) {
        if (!(error instanceof NoSpaceLeft)) throw error
        // The sweep locks other rooms. So it runs after the transaction, which has locked this room.
        await this.#sweep(this.#options.clock.now())
        if (!error.sweepMayHelp) throw error.refusal
      }
      try {
        return await this.#run(roomId, work, true)
      } catch (error) {
        throw error instanceof NoSpaceLeft ? error.refusal : error
      }
    })
  }

  /** Instant of the last sweep of idle rooms, in milliseconds since the epoch. */
  get sweptAt(): number {
    return this.#sweptAt
  }

  /** Restores {@link sweptAt} of a snapshot. */
  restore(sweptAt: number): void {
    this.#sweptAt = sweptAt
  }

  /** Opens a room. The caller must be inside of {@link addingTransaction}. */
  create(tx: RoomTransaction, id: string): Room {
    const now = this.#options.clock.now()
    if (tx.usage().rooms >= this.#options.limits.rooms) {
      throw new NoSpaceLeft(roomCapReached(this.#options.limits.rooms), true)
    }
    // A failed sweep is not reported. The next sweep evicts the same rooms.
    this.#options.lock.extendShared(this.#sweep(now))
    const room: Room = { id, createdAt: now, activeAt: now, lastSeq: 0, signedOnly: false }
    tx.saveRoom(room)
    return room
  }

  /**
   * Returns a room, and opens it if it does not exist.
   *
   * @throws ServiceRefusal 400 or 503
   */
  open(roomId: string): Promise<Room> {
    return this.addingTransaction(roomId, (tx, room) => room ?? this.create(tx, roomId))
  }

  /**
   * Checks that the common buffer of all rooms has space for a message. The caller must be inside of
   * {@link addingTransaction}.
   */
  checkSpace(tx: RoomTransaction, ciphertext: string): void {
    const { messages, ciphertextChars } = tx.usage()
    const used = ciphertextChars + messages * MESSAGE_OVERHEAD
    const { bufferBytes } = this.#options.limits
    if (used + ciphertext.length + MESSAGE_OVERHEAD <= bufferBytes) return
    throw new NoSpaceLeft(bufferFull(bufferBytes), false)
  }

  /**
   * Returns the `seq` of a room's next message. The first one is the instant of the room's creation in
   * milliseconds, at least 1. Each further one is higher by 1.
   */
  nextSeq(tx: RoomTransaction, room: Room): number {
    if (room.lastSeq > 0) return room.lastSeq + 1
    // The cursors of an evicted room remain. A cursor can be higher than the time, if the room had more than
    // one message in a millisecond. The new room must start after all cursors. Otherwise its first messages
    // would count as acknowledged.
    const cursors = tx.consumers().map(consumer => consumer.cursor)
    // Readers ask for messages after 0, so a message with seq 0 would not be delivered.
    return Math.max(1, room.createdAt, ...cursors.map(cursor => cursor + 1))
  }

  /** Records activity in a room. */
  touch(tx: RoomTransaction): void {
    tx.touch(this.#options.clock.now())
  }

  /** @param totals whether `work` needs the usage of all rooms */
  #run<T>(
    roomId: string,
    work: (tx: RoomTransaction, room: Room | undefined) => T,
    totals = false,
  ): Promise<T> {
    const { store, clock } = this.#options
    const now = clock.now()
    const options = { totals, idleBefore: now - IDLE_MS }
    return store.transaction(roomId, tx => work(tx, this.#liveRoom(tx, now)), options)
  }

  /**
   * Drops expired messages and evicts the room, if the janitor would have done so by now. Returns the room,
   * or undefined if there is none now.
   */
  #liveRoom(tx: RoomTransaction, now: number): Room | undefined {
    const room = tx.room()
    if (room === undefined) return undefined
    tx.prune(now, now - BUFFER.ageMs, BUFFER.messages)
    if (!this.#isEvicted(tx, room, now)) return room
    tx.removeRoom()
    return undefined
  }

  #isEvicted(tx: RoomTransaction, room: Room, now: number): boolean {
    if (now - room.activeAt <= IDLE_MS) return false
    const { from, until } = tx.idlePeriod(now)
    // The room is evicted if a round falls into its idle period. A later pin does not prevent that.
    const round = this.#janitorAfter(Math.max(room.activeAt + IDLE_MS + 1, from))
    if (round > Math.min(now, until)) return false
    return !(this.#options.contract.keepsUnacknowledged && hasUnacknowledged(tx))
  }

  /** Returns the janitor's first round at or after an instant. */
  #janitorAfter(instant: number): number {
    return (
      this.#startedAt + Math.ceil((instant - this.#startedAt) / JANITOR_INTERVAL_MS) * JANITOR_INTERVAL_MS
    )
  }

  /**
   * Evicts all idle rooms, at most once in {@link JANITOR_INTERVAL_MS}. Without it, a room that no request
   * uses again would stay in the store.
   */
  async #sweep(now: number): Promise<void> {
    if (now - this.#sweptAt < JANITOR_INTERVAL_MS) return
    this.#sweptAt = now
    for (const id of await this.#options.store.roomIds(now - IDLE_MS)) {
      await this.#run(id, () => undefined)
    }
  }
}

/** Thrown inside of a transaction if there is no space. */
class NoSpaceLeft extends Error {
  /**
   * @param refusal the error for the caller
   * @param sweepMayHelp whether to run the transaction again after a sweep
   */
  constructor(
    readonly refusal: ServiceRefusal,
    readonly sweepMayHelp: boolean,
  ) {
    super(refusal.message)
  }
}

/** @throws ServiceRefusal 400 for an invalid room id */
export function checkRoomId(roomId: string): void {
  if (!ROOM_ID.test(roomId)) throw badRoomId(roomId)
}

/**
 * Returns whether any consumer has a buffered message that it has not acknowledged. A room without consumers
 * has one if it has a message, because its first consumer will get that message.
 */
function hasUnacknowledged(tx: RoomTransaction): boolean {
  const consumers = tx.consumers()
  if (consumers.length === 0) return tx.count() > 0
  return consumers.some(({ cursor, ownSenders }) => tx.next(cursor, ownSenders) !== undefined)
}

/**
 * Counts the pins of this replica on rooms. A pinned room is not evicted.
 *
 * Only the first pin of a room and the end of its last pin are written to the store. No other replica evicts
 * the room in between. The store is written in the background. Transactions on one room run in the order of
 * their calls, so later transactions see the pin.
 */
export class RoomPins {
  readonly #clock: Clock
  readonly #store: Pick<SafebotStore, 'transaction'>
  /** The pinned rooms by id. `since` is the instant of the first pin. */
  readonly #pinned = new Map<string, { count: number; since: number }>()

  constructor(clock: Clock, store: Pick<SafebotStore, 'transaction'>) {
    this.#clock = clock
    this.#store = store
  }

  /** Pins a room until the returned function is called. Further calls of that function do nothing. */
  pin(roomId: string): () => void {
    const pinned = this.#pinned.get(roomId)
    if (pinned !== undefined) pinned.count++
    else {
      const since = this.#clock.now()
      this.#pinned.set(roomId, { count: 1, since })
      void this.#record(roomId, tx => tx.pin(since))
    }
    let released = false
    return () => {
      if (released) return
      released = true
      this.#unpin(roomId)
    }
  }

  /**
   * Writes the current pins to the store after a restore. A room that is pinned in the snapshot but not now
   * is unpinned at the current time.
   *
   * @param saved the pinned rooms of the snapshot
   */
  async restore(saved: PinnedRooms): Promise<void> {
    const now = this.#clock.now()
    const sinceInSnapshot = new Map(saved)
    for (const [roomId, pinned] of this.#pinned) pinned.since = sinceInSnapshot.get(roomId) ?? now
    await this.recordAll()
    for (const [roomId] of sinceInSnapshot) {
      if (!this.#pinned.has(roomId)) await this.#record(roomId, tx => tx.unpin(now))
    }
  }

  /**
   * Writes all pins to the store again. The store may have been unavailable, or may have dropped the pins of
   * this replica because the replica seemed to have ended.
   */
  async recordAll(): Promise<void> {
    const writes = [...this.#pinned].map(([roomId, { since }]) => this.#record(roomId, tx => tx.pin(since)))
    await Promise.all(writes)
  }

  #unpin(roomId: string): void {
    const pinned = this.#pinned.get(roomId)
    if (pinned === undefined) return
    pinned.count--
    if (pinned.count > 0) return
    this.#pinned.delete(roomId)
    const now = this.#clock.now()
    void this.#record(roomId, tx => tx.unpin(now))
  }

  /**
   * Writes to the store and ignores errors. {@link recordAll} repeats the write when the store is available
   * again.
   */
  async #record(roomId: string, change: (tx: RoomTransaction) => void): Promise<void> {
    await this.#store.transaction(roomId, change).catch(() => undefined)
  }
}
