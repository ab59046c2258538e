import type { Clock } from '../../../shared/clock/clock.js'
import type { Gate } from '../../../shared/util/locks.js'
import type { Contract } from '../contract.js'
import type { SafebotLimits } from '../limits.js'
import { BUFFER, ROOM_ID, type Room } from './model.js'
import { badRoomId, bufferFull, roomCapReached, type ServiceRefusal } from './refusals.js'
import type { RoomTransaction } from './room-transaction.js'
import type { Held, SafebotStore } from './store.js'

/** A room falls idle after this much quiet, and goes at the janitor's next round: 30 to 45 s in all. */
const IDLE_MS = 30_000
const JANITOR_MS = 15_000

/** What a message takes of the common buffer beside its ciphertext, as the service reckons. */
export const MESSAGE_OVERHEAD = 512

export interface RoomsOptions {
  store: SafebotStore
  clock: Clock
  contract: Contract
  holders: RoomHolders
  limits: Pick<SafebotLimits, 'rooms' | 'bufferBytes'>
  gate: Gate
}

/** The life of rooms: they begin with the first who posts or listens there, and end some time after they fall idle. */
export class Rooms {
  readonly #options: RoomsOptions
  /** The janitor's rounds are counted from here. */
  readonly #startedAt: number
  #sweptAt: number

  constructor(options: RoomsOptions) {
    const { store, clock } = options
    this.#options = options
    // Those who share a store have one janitor.
    this.#startedAt = store.records.shared ? 0 : clock.now()
    this.#sweptAt = clock.now()
  }

  /**
   * Runs `work` alone in the room, which is undefined if there is none (any more).
   *
   * @throws ServiceRefusal 400 for an id that names no room
   */
  async enter<T>(roomId: string, work: (tx: RoomTransaction, room: Room | undefined) => T): Promise<T> {
    checkRoomId(roomId)
    return this.#options.gate.pass(() => this.#enter(roomId, work))
  }

  /**
   * Enters a room to which something may be added. If there is no space left, those are looked at that may
   * go, and for a room of its own `work` is run again.
   */
  async enterToAdd<T>(roomId: string, work: (tx: RoomTransaction, room: Room | undefined) => T): Promise<T> {
    checkRoomId(roomId)
    return this.#options.gate.pass(async () => {
      try {
        return await this.#enter(roomId, work, true)
      } catch (error) {
        if (!(error instanceof NoSpaceLeft)) throw error
        // Not from within the room: it would keep its place while it waits for others.
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

  /** When those were last looked at whom nobody comes back to. */
  get sweptAt(): number {
    return this.#sweptAt
  }

  restore(sweptAt: number): void {
    this.#sweptAt = sweptAt
  }

  /** Opens a room, for who is there by {@link enterToAdd}. */
  create(tx: RoomTransaction, id: string): Room {
    const now = this.#options.clock.now()
    if (tx.usage().rooms >= this.#options.limits.rooms) {
      throw new NoSpaceLeft(roomCapReached(this.#options.limits.rooms), true)
    }
    // A courtesy: what it could not do, the next one will.
    this.#options.gate.extend(this.#sweep(now))
    const room: Room = { id, createdAt: now, activeAt: now, lastSeq: 0, signedOnly: false }
    tx.saveRoom(room)
    return room
  }

  /** Opens a room unless it is open. @throws ServiceRefusal 400 or 503 */
  open(roomId: string): Promise<Room> {
    return this.enterToAdd(roomId, (tx, room) => room ?? this.create(tx, roomId))
  }

  /** Makes sure that the rooms together can hold another message, for who is there by {@link enterToAdd}. */
  checkSpace(tx: RoomTransaction, ciphertext: string): void {
    const { messages, ciphertextChars } = tx.usage()
    const held = ciphertextChars + messages * MESSAGE_OVERHEAD
    const { bufferBytes } = this.#options.limits
    if (held + ciphertext.length + MESSAGE_OVERHEAD <= bufferBytes) return
    throw new NoSpaceLeft(bufferFull(bufferBytes), false)
  }

  /** The seq of a room's next message: its creation in milliseconds, at least 1, then one more each. */
  nextSeq(tx: RoomTransaction, room: Room): number {
    if (room.lastSeq > 0) return room.lastSeq + 1
    // Cursors outlive rooms. A room that took more than one message a millisecond has run ahead of the clock,
    // and its successor must not begin behind them, or its messages would pass for acknowledged.
    const cursors = tx.consumers().map(consumer => consumer.cursor)
    // Readers ask for what is behind 0, so 0 would never be delivered.
    return Math.max(1, room.createdAt, ...cursors.map(cursor => cursor + 1))
  }

  /** Keeps a room from falling idle. */
  touch(tx: RoomTransaction): void {
    tx.touch(this.#options.clock.now())
  }

  /** @param totals whether `work` asks how much there is in all rooms */
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
    const { from, until } = tx.unheld(now)
    // Who holds it now may have come too late: the janitor was there before.
    const round = this.#janitorAfter(Math.max(room.activeAt + IDLE_MS + 1, from))
    if (round > Math.min(now, until)) return false
    return !(this.#options.contract.keepsUnacknowledged && hasUnacknowledged(tx))
  }

  /** The janitor's first round at or after an instant. */
  #janitorAfter(instant: number): number {
    return this.#startedAt + Math.ceil((instant - this.#startedAt) / JANITOR_MS) * JANITOR_MS
  }

  /** Rooms are judged when somebody looks; this looks at those nobody comes back to, so that they do not pile up. */
  async #sweep(now: number): Promise<void> {
    if (now - this.#sweptAt < JANITOR_MS) return
    this.#sweptAt = now
    for (const id of await this.#options.store.roomIds(now - IDLE_MS)) {
      await this.#enter(id, () => undefined)
    }
  }
}

/** There is no space left for what was to be added; some of what there is may go once somebody looks. */
class NoSpaceLeft extends Error {
  /**
   * @param refusal what it comes to if that does not help
   * @param worthAnotherTry whether the caller is not refused before that is seen
   */
  constructor(
    readonly refusal: ServiceRefusal,
    readonly worthAnotherTry: boolean,
  ) {
    super(refusal.message)
  }
}

/** @throws ServiceRefusal 400 for an id that names no room */
export function checkRoomId(roomId: string): void {
  if (!ROOM_ID.test(roomId)) throw badRoomId(roomId)
}

/** Whether some consumer, or the first one yet to come, still has a message of the buffer to acknowledge. */
function hasUnacknowledged(tx: RoomTransaction): boolean {
  const consumers = tx.consumers()
  if (consumers.length === 0) return tx.count() > 0
  return consumers.some(({ cursor, ownSenders }) => tx.next(cursor, ownSenders) !== undefined)
}

/**
 * Keeps rooms from being evicted while calls are parked in them and agents are present in them.
 *
 * The store is told of the first hold of a room and of the end of its last, so that no other replica takes the room for
 * abandoned. It is told in the background: transactions on a room run in the order in which they were begun, so what
 * follows in the room finds it told.
 */
export class RoomHolders {
  readonly #clock: Clock
  readonly #store: Pick<SafebotStore, 'hold' | 'release'>
  readonly #held = new Map<string, { count: number; since: number }>()

  constructor(clock: Clock, store: Pick<SafebotStore, 'hold' | 'release'>) {
    this.#clock = clock
    this.#store = store
  }

  /** Holds a room until the returned function is called; calling it again does nothing. */
  hold(roomId: string): () => void {
    const held = this.#held.get(roomId)
    if (held !== undefined) held.count++
    else {
      const since = this.#clock.now()
      this.#held.set(roomId, { count: 1, since })
      void this.#tell(() => this.#store.hold(roomId, since))
    }
    let holding = true
    return () => {
      if (!holding) return
      holding = false
      this.#release(roomId)
    }
  }

  /** A room that was held in another state and is not any more counts as left now. Resolves when the store knows. */
  async restore(heldThen: Held): Promise<void> {
    const now = this.#clock.now()
    const then = new Map(heldThen)
    for (const [roomId, holding] of this.#held) holding.since = then.get(roomId) ?? now
    await this.tellAgain()
    for (const [roomId] of then) {
      if (!this.#held.has(roomId)) await this.#tell(() => this.#store.release(roomId, now))
    }
  }

  /** Tells the store again: it may not have been there when it was told, or have taken this replica for gone. */
  async tellAgain(): Promise<void> {
    const held = [...this.#held].map(([roomId, { since }]) =>
      this.#tell(() => this.#store.hold(roomId, since)),
    )
    await Promise.all(held)
  }

  #release(roomId: string): void {
    const held = this.#held.get(roomId)
    if (held === undefined) return
    held.count--
    if (held.count > 0) return
    this.#held.delete(roomId)
    const now = this.#clock.now()
    void this.#tell(() => this.#store.release(roomId, now))
  }

  /** What cannot be told while the store is away is told when it is back. */
  #tell(telling: () => Promise<void>): Promise<void> {
    return telling().catch(() => undefined)
  }
}
