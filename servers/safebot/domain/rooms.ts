import type { Clock } from '../../../shared/clock/clock.js'
import type { RwLock } from '../../../shared/util/locks.js'
import type { Contract } from '../contract.js'
import type { SafebotLimits } from '../limits.js'
import { BUFFER, ROOM_ID, type Room } from './model.js'
import { badRoomId, bufferFull, roomCapReached, type ServiceRefusal } from './refusals.js'
import type { RoomTransaction } from './room-transaction.js'
import type { PinnedRooms, SafebotStore } from './store.js'

/** A room is idle after this time without activity. The janitor's next round evicts it, 30 to 45 s in all. */
const IDLE_MS = 30_000
const JANITOR_MS = 15_000

/** Characters that a message adds to the common buffer beside its ciphertext. The service's number. */
export const MESSAGE_OVERHEAD = 512

export interface RoomsOptions {
  store: SafebotStore
  clock: Clock
  contract: Contract
  holders: RoomPins
  limits: Pick<SafebotLimits, 'rooms' | 'bufferBytes'>
  lock: RwLock
}

/**
 * Opens and evicts rooms. A room is opened by its first message or listener, and evicted some time after it
 * becomes idle.
 */
export class Rooms {
  readonly #options: RoomsOptions
  /** The start of the janitor's rounds. */
  readonly #startedAt: number
  #sweptAt: number

  constructor(options: RoomsOptions) {
    const { store, clock } = options
    this.#options = options
    // Instances with a common store have one janitor.
    this.#startedAt = store.records.shared ? 0 : clock.now()
    this.#sweptAt = clock.now()
  }

  /**
   * Runs `work` as the only transaction in the room. The room is undefined if it does not exist (any more).
   *
   * @throws ServiceRefusal 400 for an invalid room id
   */
  async enter<T>(roomId: string, work: (tx: RoomTransaction, room: Room | undefined) => T): Promise<T> {
    checkRoomId(roomId)
    return this.#options.lock.shared(() => this.#enter(roomId, work))
  }

  /**
   * Runs `work` that may add to a room. If there is no space, idle rooms are evicted and `work` is run again.
   */
  async enterToAdd<T>(roomId: string, work: (tx: RoomTransaction, room: Room | undefined) => T): Promise<T> {
    checkRoomId(roomId)
    return this.#options.lock.shared(async () => {
      try {
        return await this.#enter(roomId, work, true)
      } catch (error) {
        if (!(error instanceof NoSpaceLeft)) throw error
        // Not inside of the room's transaction, which would block the room while it waits for others.
        await this.#sweep(this.#options.clock.now())
        if (!error.worthAnotherTry) throw error.refusal
      }
      try {
        return await this.#enter(roomId, work, true)
      } catch (error) {
        throw error instanceof NoSpaceLeft ? error.refusal : error
      }
    })
  }

  /** When abandoned rooms were last swept. */
  get sweptAt(): number {
    return this.#sweptAt
  }

  restore(sweptAt: number): void {
    this.#sweptAt = sweptAt
  }

  /** Opens a room, inside of {@link enterToAdd}. */
  create(tx: RoomTransaction, id: string): Room {
    const now = this.#options.clock.now()
    if (tx.usage().rooms >= this.#options.limits.rooms) {
      throw new NoSpaceLeft(roomCapReached(this.#options.limits.rooms), true)
    }
    // A failed sweep is repeated by the next one.
    this.#options.lock.extendShared(this.#sweep(now))
    const room: Room = { id, createdAt: now, activeAt: now, lastSeq: 0, signedOnly: false }
    tx.saveRoom(room)
    return room
  }

  /** Opens a room unless it is open. @throws ServiceRefusal 400 or 503 */
  open(roomId: string): Promise<Room> {
    return this.enterToAdd(roomId, (tx, room) => room ?? this.create(tx, roomId))
  }

  /** Checks that the rooms together have space for a message, inside of {@link enterToAdd}. */
  checkSpace(tx: RoomTransaction, ciphertext: string): void {
    const { messages, ciphertextChars } = tx.usage()
    const held = ciphertextChars + messages * MESSAGE_OVERHEAD
    const { bufferBytes } = this.#options.limits
    if (held + ciphertext.length + MESSAGE_OVERHEAD <= bufferBytes) return
    throw new NoSpaceLeft(bufferFull(bufferBytes), false)
  }

  /**
   * Returns the seq of a room's next message: its creation in milliseconds, at least 1, then one more each.
   */
  nextSeq(tx: RoomTransaction, room: Room): number {
    if (room.lastSeq > 0) return room.lastSeq + 1
    // Cursors outlive rooms. A room with more than one message a millisecond was ahead of the clock. The next
    // room of that id must begin after its cursors, or its messages would count as acknowledged.
    const cursors = tx.consumers().map(consumer => consumer.cursor)
    // Readers ask for messages after 0, so 0 would never be delivered.
    return Math.max(1, room.createdAt, ...cursors.map(cursor => cursor + 1))
  }

  /** Records activity in a room. */
  touch(tx: RoomTransaction): void {
    tx.touch(this.#options.clock.now())
  }

  /** @param totals whether `work` reads the usage of all rooms */
  #enter<T>(
    roomId: string,
    work: (tx: RoomTransaction, room: Room | undefined) => T,
    totals = false,
  ): Promise<T> {
    const { store, clock } = this.#options
    const now = clock.now()
    const options = { totals, idleBefore: now - IDLE_MS }
    return store.transaction(roomId, tx => work(tx, this.#present(tx, now)), options)
  }

  #present(tx: RoomTransaction, now: number): Room | undefined {
    const room = tx.room()
    if (room === undefined) return undefined
    tx.prune(now, now - BUFFER.ageMs, BUFFER.messages)
    if (!this.#evicted(tx, room, now)) return room
    tx.removeRoom()
    return undefined
  }

  #evicted(tx: RoomTransaction, room: Room, now: number): boolean {
    if (now - room.activeAt <= IDLE_MS) return false
    const { from, until } = tx.idlePeriod(now)
    // The current pin may have begun after the janitor's round.
    const round = this.#janitorAfter(Math.max(room.activeAt + IDLE_MS + 1, from))
    if (round > Math.min(now, until)) return false
    return !(this.#options.contract.keepsUnacknowledged && hasUnacknowledged(tx))
  }

  /** Returns the janitor's first round at or after an instant. */
  #janitorAfter(instant: number): number {
    return this.#startedAt + Math.ceil((instant - this.#startedAt) / JANITOR_MS) * JANITOR_MS
  }

  /** Evicts abandoned rooms. Other rooms are evicted when they are entered. */
  async #sweep(now: number): Promise<void> {
    if (now - this.#sweptAt < JANITOR_MS) return
    this.#sweptAt = now
    for (const id of await this.#options.store.roomIds(now - IDLE_MS)) {
      await this.#enter(id, () => undefined)
    }
  }
}

/** Thrown if there is no space. A sweep may help. */
class NoSpaceLeft extends Error {
  /**
   * @param refusal the refusal if a sweep does not help
   * @param worthAnotherTry whether to sweep and try again
   */
  constructor(
    readonly refusal: ServiceRefusal,
    readonly worthAnotherTry: boolean,
  ) {
    super(refusal.message)
  }
}

/** @throws ServiceRefusal 400 for an invalid room id */
export function checkRoomId(roomId: string): void {
  if (!ROOM_ID.test(roomId)) throw badRoomId(roomId)
}

/** Returns whether a consumer, or the first one, still has a buffered message to acknowledge. */
function hasUnacknowledged(tx: RoomTransaction): boolean {
  const consumers = tx.consumers()
  if (consumers.length === 0) return tx.count() > 0
  return consumers.some(({ cursor, ownSenders }) => tx.next(cursor, ownSenders) !== undefined)
}

/**
 * Keeps rooms from being evicted while requests wait in them and agents are present in them.
 *
 * The store records the first pin of a room and the end of its last one, so that no other replica evicts the
 * room. It is called in the background. Transactions on a room keep their order, so later work in the room
 * finds the pin.
 */
export class RoomPins {
  readonly #clock: Clock
  readonly #store: Pick<SafebotStore, 'transaction'>
  readonly #held = new Map<string, { count: number; since: number }>()

  constructor(clock: Clock, store: Pick<SafebotStore, 'transaction'>) {
    this.#clock = clock
    this.#store = store
  }

  /** Pins a room until the returned function is called. Calling it again does nothing. */
  hold(roomId: string): () => void {
    const held = this.#held.get(roomId)
    if (held !== undefined) held.count++
    else {
      const since = this.#clock.now()
      this.#held.set(roomId, { count: 1, since })
      void this.#record(roomId, tx => tx.pin(since))
    }
    let pin = true
    return () => {
      if (!pin) return
      pin = false
      this.#release(roomId)
    }
  }

  /**
   * Ends the pins of the old state. A room that is no longer pinned counts as left now. Resolves when the
   * store has recorded it.
   */
  async restore(heldThen: PinnedRooms): Promise<void> {
    const now = this.#clock.now()
    const then = new Map(heldThen)
    for (const [roomId, holding] of this.#held) holding.since = then.get(roomId) ?? now
    await this.recordAgain()
    for (const [roomId] of then) {
      if (!this.#held.has(roomId)) await this.#record(roomId, tx => tx.unpin(now))
    }
  }

  /**
   * Records all pins in the store again, because the store may have been unavailable, or may have counted
   * this replica as ended.
   */
  async recordAgain(): Promise<void> {
    await Promise.all([...this.#held].map(([roomId, { since }]) => this.#record(roomId, tx => tx.pin(since))))
  }

  #release(roomId: string): void {
    const held = this.#held.get(roomId)
    if (held === undefined) return
    held.count--
    if (held.count > 0) return
    this.#held.delete(roomId)
    const now = this.#clock.now()
    void this.#record(roomId, tx => tx.unpin(now))
  }

  /** Ignores an error while the store is unavailable. The pin is recorded when the store returns. */
  async #record(roomId: string, change: (tx: RoomTransaction) => void): Promise<void> {
    await this.#store.transaction(roomId, change).catch(() => undefined)
  }
}
