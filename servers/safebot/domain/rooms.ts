import type { Clock } from '../../../shared/clock/clock.js'
import type { Gate } from '../../../shared/gate.js'
import type { Contract } from '../contract.js'
import type { SafebotLimits } from '../limits.js'
import type { RoomTransaction, SafebotStore } from '../store/store.js'
import type { RoomHolders } from './holders.js'
import { badRoomId, bufferFull, roomCapReached } from './refusals.js'
import { BUFFER, ROOM_ID, type Room } from './room.js'

/** A room falls idle after this much quiet, and goes at the janitor's next round: 30 to 45 s in all. */
const IDLE_MS = 30_000
const JANITOR_MS = 15_000

/** What a message takes of the common buffer beside its ciphertext, as the service reckons. */
export const MESSAGE_OVERHEAD = 512

type RoomLimits = Pick<SafebotLimits, 'rooms' | 'bufferBytes'>

/** The life of rooms: they begin with the first who posts or listens there, and end some time after they fall idle. */
export class Rooms {
  readonly #store: SafebotStore
  readonly #clock: Clock
  readonly #contract: Contract
  readonly #holders: RoomHolders
  readonly #limits: RoomLimits
  readonly #gate: Gate
  /** The janitor's rounds are counted from here. */
  readonly #startedAt: number
  #sweptAt: number

  constructor(
    store: SafebotStore,
    clock: Clock,
    contract: Contract,
    holders: RoomHolders,
    limits: RoomLimits,
    gate: Gate,
  ) {
    this.#store = store
    this.#clock = clock
    this.#contract = contract
    this.#holders = holders
    this.#limits = limits
    this.#gate = gate
    this.#startedAt = clock.now()
    this.#sweptAt = this.#startedAt
  }

  /**
   * Runs `work` alone in the room, which is undefined if there is none (any more).
   *
   * @throws ServiceRefusal 400 for an id that names no room
   */
  async enter<T>(
    roomId: string,
    work: (tx: RoomTransaction, room: Room | undefined) => Promise<T>,
  ): Promise<T> {
    checkRoomId(roomId)
    return this.#gate.pass(() =>
      this.#store.transaction(roomId, async tx => work(tx, await this.#present(tx, roomId))),
    )
  }

  /** When those were last looked at whom nobody comes back to. */
  get sweptAt(): number {
    return this.#sweptAt
  }

  restore(sweptAt: number): void {
    this.#sweptAt = sweptAt
  }

  /**
   * Opens a room.
   *
   * @throws ServiceRefusal 503 if there are too many
   */
  async create(tx: RoomTransaction, id: string): Promise<Room> {
    const now = this.#clock.now()
    // Mostly it is a courtesy: what it could not do, the next one will.
    const sweeping = this.#sweep(now)
    this.#gate.extend(sweeping)
    if ((await this.count()) >= this.#limits.rooms) {
      await sweeping
      if ((await this.count()) >= this.#limits.rooms) throw roomCapReached(this.#limits.rooms)
    }
    const room: Room = { id, createdAt: now, activeAt: now, lastSeq: 0, signedOnly: false }
    await tx.saveRoom(room)
    return room
  }

  /** Opens a room unless it is open. @throws ServiceRefusal 400 or 503 */
  open(roomId: string): Promise<Room> {
    return this.enter(roomId, async (tx, room) => room ?? this.create(tx, roomId))
  }

  /** @throws ServiceRefusal 503 if the rooms together cannot hold another message */
  async checkSpace(ciphertext: string): Promise<void> {
    const { messages, ciphertextChars } = await this.#store.usage()
    const held = ciphertextChars + messages * MESSAGE_OVERHEAD
    const { bufferBytes } = this.#limits
    if (held + ciphertext.length + MESSAGE_OVERHEAD <= bufferBytes) return
    // Not waited for: the room that asks is busy with this, and would wait for itself.
    this.#gate.extend(this.#sweep(this.#clock.now()))
    throw bufferFull(bufferBytes)
  }

  /** How many rooms there are. */
  async count(): Promise<number> {
    return (await this.#store.usage()).rooms
  }

  /** The seq of a room's next message: its creation in milliseconds, then one more each. */
  async nextSeq(tx: RoomTransaction, room: Room): Promise<number> {
    if (room.lastSeq > 0) return room.lastSeq + 1
    // Cursors outlive rooms. A room that took more than one message a millisecond has run ahead of the clock,
    // and its successor must not begin behind them, or its messages would pass for acknowledged.
    const cursors = (await tx.consumers()).map(consumer => consumer.cursor)
    return Math.max(room.createdAt, ...cursors.map(cursor => cursor + 1))
  }

  /** Keeps a room from falling idle. */
  async touch(tx: RoomTransaction, room: Room): Promise<void> {
    await tx.saveRoom({ ...room, activeAt: this.#clock.now() })
  }

  async #present(tx: RoomTransaction, roomId: string): Promise<Room | undefined> {
    const room = await tx.room()
    if (room === undefined) {
      this.#holders.forget(roomId)
      return undefined
    }
    const now = this.#clock.now()
    await tx.prune(now, now - BUFFER.ageMs, BUFFER.messages)
    if (!(await this.#evicted(tx, room))) return room
    await tx.removeRoom()
    this.#holders.forget(roomId)
    return undefined
  }

  async #evicted(tx: RoomTransaction, room: Room): Promise<boolean> {
    const now = this.#clock.now()
    if (now - room.activeAt <= IDLE_MS) return false
    const { from, until } = this.#holders.unheld(room.id)
    // Who holds it now may have come too late: the janitor was there before.
    const round = this.#janitorAfter(Math.max(room.activeAt + IDLE_MS + 1, from))
    if (round > Math.min(now, until)) return false
    return !(this.#contract.keepsUnacknowledged && (await hasUnacknowledged(tx)))
  }

  /** The janitor's first round at or after an instant. */
  #janitorAfter(instant: number): number {
    return this.#startedAt + Math.ceil((instant - this.#startedAt) / JANITOR_MS) * JANITOR_MS
  }

  /** Rooms are judged when somebody looks; this looks at those nobody comes back to, so that they do not pile up. */
  async #sweep(now: number): Promise<void> {
    if (now - this.#sweptAt < JANITOR_MS) return
    this.#sweptAt = now
    for (const id of await this.#store.roomIds()) {
      await this.#store.transaction(id, async tx => void (await this.#present(tx, id)))
    }
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
