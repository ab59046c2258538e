import type { Clock } from '../../../shared/clock/clock.js'
import type { Gate } from '../../../shared/util/locks.js'
import type { Contract } from '../contract.js'
import type { SafebotLimits } from '../limits.js'
import type { Foresight, Holdings, RoomTransaction, SafebotStore } from '../store/store.js'
import { BUFFER, ROOM_ID, type Room } from './model.js'
import { badRoomId, bufferFull, roomCapReached, type ServiceRefusal } from './refusals.js'

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
    this.#startedAt = store.others === undefined ? clock.now() : 0
    this.#sweptAt = clock.now()
  }

  /**
   * Runs `work` alone in the room, which is undefined if there is none (any more).
   *
   * @param foresight what it will ask
   * @throws ServiceRefusal 400 for an id that names no room
   */
  async enter<T>(
    roomId: string,
    work: (tx: RoomTransaction, room: Room | undefined) => Promise<T>,
    foresight?: Foresight,
  ): Promise<T> {
    checkRoomId(roomId)
    return this.#options.gate.pass(() => this.#enter(roomId, work, foresight))
  }

  /**
   * Enters a room to which something may be added. If there is no space left, those are looked at that may
   * go, and for a room of its own `work` is run again.
   */
  async enterToAdd<T>(
    roomId: string,
    work: (tx: RoomTransaction, room: Room | undefined) => Promise<T>,
    foresight?: Foresight,
  ): Promise<T> {
    checkRoomId(roomId)
    return this.#options.gate.pass(async () => {
      try {
        return await this.#enter(roomId, work, foresight)
      } catch (error) {
        if (!(error instanceof NoSpaceLeft)) throw error
        // Not from within the room: it would keep its place while it waits for others.
        await this.#sweep(this.#options.clock.now())
        if (!error.worthAnotherTry) throw error.refusal
      }
      try {
        return await this.#enter(roomId, work, foresight)
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
  async create(tx: RoomTransaction, id: string): Promise<Room> {
    const now = this.#options.clock.now()
    if ((await tx.usage()).rooms >= this.#options.limits.rooms) {
      throw new NoSpaceLeft(roomCapReached(this.#options.limits.rooms), true)
    }
    // A courtesy: what it could not do, the next one will.
    this.#options.gate.extend(this.#sweep(now))
    const room: Room = { id, createdAt: now, activeAt: now, lastSeq: 0, signedOnly: false }
    await tx.saveRoom(room)
    return room
  }

  /** Opens a room unless it is open. @throws ServiceRefusal 400 or 503 */
  open(roomId: string): Promise<Room> {
    return this.enterToAdd(roomId, async (tx, room) => room ?? this.create(tx, roomId))
  }

  /** Makes sure that the rooms together can hold another message, for who is there by {@link enterToAdd}. */
  async checkSpace(tx: RoomTransaction, ciphertext: string): Promise<void> {
    const { messages, ciphertextChars } = await tx.usage()
    const held = ciphertextChars + messages * MESSAGE_OVERHEAD
    const { bufferBytes } = this.#options.limits
    if (held + ciphertext.length + MESSAGE_OVERHEAD <= bufferBytes) return
    throw new NoSpaceLeft(bufferFull(bufferBytes), false)
  }

  /** The seq of a room's next message: its creation in milliseconds, at least 1, then one more each. */
  async nextSeq(tx: RoomTransaction, room: Room): Promise<number> {
    if (room.lastSeq > 0) return room.lastSeq + 1
    // Cursors outlive rooms. A room that took more than one message a millisecond has run ahead of the clock,
    // and its successor must not begin behind them, or its messages would pass for acknowledged.
    const cursors = (await tx.consumers()).map(consumer => consumer.cursor)
    // Readers ask for what is behind 0, so 0 would never be delivered.
    return Math.max(1, room.createdAt, ...cursors.map(cursor => cursor + 1))
  }

  /** Keeps a room from falling idle. */
  async touch(tx: RoomTransaction, room: Room): Promise<void> {
    await tx.saveRoom({ ...room, activeAt: this.#options.clock.now() })
  }

  async #enter<T>(
    roomId: string,
    work: (tx: RoomTransaction, room: Room | undefined) => Promise<T>,
    foresight: Foresight | undefined,
  ): Promise<T> {
    const settling = this.#options.holders.settled(roomId)
    if (settling !== undefined) await settling
    return this.#options.store.transaction(roomId, async tx => work(tx, await this.#present(tx)), foresight)
  }

  async #present(tx: RoomTransaction): Promise<Room | undefined> {
    const room = await tx.room()
    if (room === undefined) return undefined
    const now = this.#options.clock.now()
    await tx.prune(now, now - BUFFER.ageMs, BUFFER.messages)
    if (!(await this.#evicted(tx, room))) return room
    await tx.removeRoom()
    return undefined
  }

  async #evicted(tx: RoomTransaction, room: Room): Promise<boolean> {
    const now = this.#options.clock.now()
    if (now - room.activeAt <= IDLE_MS) return false
    const { from, until } = await tx.unheld(now)
    // Who holds it now may have come too late: the janitor was there before.
    const round = this.#janitorAfter(Math.max(room.activeAt + IDLE_MS + 1, from))
    if (round > Math.min(now, until)) return false
    return !(this.#options.contract.keepsUnacknowledged && (await hasUnacknowledged(tx)))
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
      await this.#options.store.transaction(id, async tx => void (await this.#present(tx)))
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
async function hasUnacknowledged(tx: RoomTransaction): Promise<boolean> {
  const consumers = await tx.consumers()
  if (consumers.length === 0) return (await tx.count()) > 0
  for (const consumer of consumers) {
    if ((await tx.next(consumer.cursor, consumer.ownSenders)) !== undefined) return true
  }
  return false
}

/**
 * What keeps a room from being evicted besides its own activity: calls parked in it, agents present in it.
 * The store is told of the first and the last of them, so that no other process takes the room for
 * abandoned.
 */
export class RoomHolders {
  readonly #clock: Clock
  readonly #store: Pick<SafebotStore, 'hold' | 'release' | 'holdOnly'>
  readonly #held = new Map<string, { count: number; since: number }>()
  /** What the store is being told, by room. */
  readonly #telling = new Map<string, Promise<void>>()

  constructor(clock: Clock, store: Pick<SafebotStore, 'hold' | 'release' | 'holdOnly'>) {
    this.#clock = clock
    this.#store = store
  }

  /** Holds a room until the returned function is called; calling it again does nothing. */
  hold(roomId: string): () => void {
    const held = this.#held.get(roomId)
    if (held === undefined) this.#hold(roomId, this.#clock.now())
    else held.count++
    let holding = true
    return () => {
      if (!holding) return
      holding = false
      this.#release(roomId)
    }
  }

  /** Resolves when the store knows how this process holds the room; undefined: it does. */
  settled(roomId: string): Promise<void> | undefined {
    return this.#telling.get(roomId)
  }

  /** Resolves when the store knows of all rooms. */
  async allSettled(): Promise<void> {
    await Promise.all(this.#telling.values())
  }

  /** Who held a room in another state and does no longer counts as having left it now. */
  restore(held: Holdings['held']): void {
    const now = this.#clock.now()
    const before = new Map(held)
    for (const [roomId, holding] of this.#held) {
      holding.since = before.get(roomId) ?? now
      this.#tell(roomId, () => this.#store.hold(roomId, holding.since))
    }
    for (const [roomId] of held) {
      if (!this.#held.has(roomId)) this.#tell(roomId, () => this.#store.release(roomId, now))
    }
  }

  /** Tells the store all over again: it may not have been there when it was told, or have taken this process for gone. */
  async tellAgain(): Promise<void> {
    await this.allSettled()
    const held = new Map([...this.#held].map(([roomId, { since }]) => [roomId, since]))
    await this.#store.holdOnly([...held], this.#clock.now())
    // Who has left meanwhile may have said so before that was told.
    const now = this.#clock.now()
    for (const roomId of held.keys()) {
      if (!this.#held.has(roomId)) this.#tell(roomId, () => this.#store.release(roomId, now))
    }
    for (const [roomId, { since }] of this.#held) {
      if (held.get(roomId) !== since) this.#tell(roomId, () => this.#store.hold(roomId, since))
    }
  }

  #hold(roomId: string, since: number): void {
    this.#held.set(roomId, { count: 1, since })
    this.#tell(roomId, () => this.#store.hold(roomId, since))
  }

  #release(roomId: string): void {
    const held = this.#held.get(roomId)
    if (held === undefined) return
    held.count--
    if (held.count > 0) return
    this.#held.delete(roomId)
    const now = this.#clock.now()
    this.#tell(roomId, () => this.#store.release(roomId, now))
  }

  /** Tells the store one thing after the other. What it cannot be told now it is told when it is back. */
  #tell(roomId: string, tell: () => Promise<void> | undefined): void {
    const before = this.#telling.get(roomId)
    const telling = before === undefined ? tell() : before.then(tell)
    if (telling === undefined) return
    const told = telling.then(nothing, nothing)
    this.#telling.set(roomId, told)
    void told.then(() => {
      if (this.#telling.get(roomId) === told) this.#telling.delete(roomId)
    })
  }
}

function nothing(): void {}
