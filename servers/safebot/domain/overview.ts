import type { Consumer } from './consumer.js'
import type { Room, StoredMessage } from './model.js'
import type { Participant, Presence } from './presence.js'
import type { Usage } from './room-transaction.js'
import type { Rooms } from './rooms.js'
import type { SafebotStore } from './store.js'
import type { RoomWaiters } from './waiters.js'

/** The state of a room, as the control plane shows it. */
export interface RoomOverview {
  room: Room
  /** Number of messages in the buffer. */
  buffered: number
  /** The latest messages, the oldest of them first. */
  messages: StoredMessage[]
  consumers: Consumer[]
  /** Number of connected participants, with or without a name. */
  present: number
  participants: Participant[]
  /** Number of waiting requests and open event streams. */
  waiting: number
}

/** Reads the state of rooms for the control plane. Reading does not count as activity in a room. */
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
   * @param latest maximum number of messages for each room
   */
  async rooms(latest: number): Promise<RoomOverview[]> {
    const overviews: RoomOverview[] = []
    for (const id of await this.#store.roomIds()) {
      const overview = await this.#roomOverview(id, latest)
      if (overview !== undefined) overviews.push(overview)
    }
    return overviews.toSorted(
      ({ room: one }, { room: other }) => one.createdAt - other.createdAt || (one.id < other.id ? -1 : 1),
    )
  }

  /** Returns the numbers of rooms, of buffered messages, and of waiting requests with open event streams. */
  async totals(): Promise<Usage & { waiting: number }> {
    return { ...(await this.#store.usage()), waiting: this.#waiters.total }
  }

  #roomOverview(id: string, latest: number): Promise<RoomOverview | undefined> {
    return this.#rooms.transaction(id, (tx, room) => {
      if (room === undefined) return undefined
      const { size, participants } = this.#presence.participantList(id)
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
