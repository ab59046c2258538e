import type { Consumer } from './consumer.js'
import type { Room, StoredMessage } from './model.js'
import type { Participant, Presence } from './presence.js'
import type { Usage } from './room-transaction.js'
import type { Rooms } from './rooms.js'
import type { SafebotStore } from './store.js'
import type { RoomWaiters } from './waiters.js'

/** All that there is to see of a room. */
export interface RoomOverview {
  room: Room
  /** How many messages its buffer holds. */
  buffered: number
  /** The latest of them, the oldest first. */
  messages: StoredMessage[]
  consumers: Consumer[]
  /** How many are connected, with a name or without. */
  present: number
  participants: Participant[]
  /** Parked calls, and open event streams. */
  waiting: number
}

/** Shows rooms, and keeps none alive by looking. */
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
   * The rooms there are, the first opened first.
   *
   * @param latest how many messages of each, at most
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

  /** How many there are, with how much in them and how many that wait, without looking at any. */
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
