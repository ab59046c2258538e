import type { Consumer } from './consumer.js'
import type { Room, StoredMessage } from './model.js'
import type { Participant, Presence } from './presence.js'
import type { Usage } from './room-transaction.js'
import type { Rooms } from './rooms.js'
import type { SafebotStore } from './store.js'
import type { RoomWaiters } from './waiters.js'

/** The state of a room for a control plane. */
export interface RoomOverview {
  room: Room
  /** Number of messages in its buffer. */
  buffered: number
  /** Its latest messages, the oldest first. */
  messages: StoredMessage[]
  consumers: Consumer[]
  /** Number of connected participants, with or without a name. */
  present: number
  participants: Participant[]
  /** Number of waiting requests and open event streams. */
  waiting: number
}

/** Shows rooms. Looking at a room does not keep it active. */
export class Overview {
  readonly #store: SafebotStore
  readonly #rooms: Rooms
  readonly #presence: Presence
  readonly #waiters: RoomWaiters

  constructor(store: SafebotStore, rooms: Rooms, presence: Presence, waiters: RoomWaiters) {
    this.#store = store
    this.#rooms = rooms
    this.#presence = presence
    this.#waiters = waiters
  }

  /**
   * Returns all rooms, the oldest first.
   *
   * @param latest largest number of messages of each room
   */
  async rooms(latest: number): Promise<RoomOverview[]> {
    const seen: RoomOverview[] = []
    for (const id of await this.#store.roomIds()) {
      const overview = await this.#look(id, latest)
      if (overview !== undefined) seen.push(overview)
    }
    return seen.toSorted(
      ({ room: one }, { room: other }) => one.createdAt - other.createdAt || (one.id < other.id ? -1 : 1),
    )
  }

  /** Returns the number of rooms, messages and waiting requests. */
  async totals(): Promise<Usage & { waiting: number }> {
    return { ...(await this.#store.usage()), waiting: this.#waiters.total }
  }

  #look(id: string, latest: number): Promise<RoomOverview | undefined> {
    return this.#rooms.enter(id, (tx, room) => {
      if (room === undefined) return undefined
      const { size, participants } = this.#presence.gathering(id)
      return {
        room,
        buffered: tx.count(),
        messages: latest === 0 ? [] : tx.messages(room.lastSeq - latest, latest),
        consumers: tx.consumers(),
        present: size,
        participants,
        waiting: this.#waiters.count(id),
      }
    })
  }
}
