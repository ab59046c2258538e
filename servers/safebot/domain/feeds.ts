import type { StoredMessage } from './model.js'
import type { Gathering, Guise, Presence } from './presence.js'
import type { Rooms } from './rooms.js'
import type { RoomWaiter, RoomWaiters } from './waiters.js'

/** Messages read at once. */
const PAGE = 500

/** Something that happens in a room. */
export type FeedEvent =
  | { type: 'message'; message: StoredMessage }
  /** The follower has all messages. `size` counts the follower, `participants` are those from before. */
  | { type: 'ready'; lastSeq: number; gathering: Gathering }
  | { type: 'presence'; gathering: Gathering }
  | { type: 'locked' }

/** A new follower of a room, and the position at which it starts. */
export interface FeedStart extends Guise {
  /** Messages after this seq are sent first. */
  after: number
}

interface Follower {
  readonly waiter: RoomWaiter
  /** Events other than messages. */
  readonly news: FeedEvent[]
  /** Whether the follower knows that the room accepts signed messages only. Undefined: not read yet. */
  locked: boolean | undefined
}

/**
 * The event streams of rooms. Each follower reads messages from the buffer at its own pace, so a slow one
 * misses none.
 */
export class Feeds {
  readonly #rooms: Rooms
  readonly #waiters: RoomWaiters
  readonly #presence: Presence
  readonly #followers = new Map<string, Set<Follower>>()

  constructor(rooms: Rooms, waiters: RoomWaiters, presence: Presence) {
    this.#rooms = rooms
    this.#waiters = waiters
    this.#presence = presence
  }

  /** Records that a room accepts signed messages only. */
  locked(roomId: string): void {
    for (const follower of this.#followers.get(roomId) ?? []) {
      follower.locked = true
      tell(follower, { type: 'locked' })
    }
  }

  /**
   * Yields the events of a room: the messages after `after`, a `ready`, and then new events. A follower is
   * present and opens the room.
   *
   * @throws ServiceRefusal 400, or 503 if the room cannot be opened
   */
  async *follow(
    roomId: string,
    { after, ...guise }: FeedStart,
    signal: AbortSignal,
  ): AsyncGenerator<FeedEvent> {
    await this.#rooms.open(roomId)
    const follower: Follower = {
      waiter: this.#waiters.enter(roomId),
      news: [],
      locked: undefined,
    }
    const forget = this.#remember(roomId, follower)
    const before = this.#presence.gathering(roomId)
    const leave = this.#presence.join(roomId, guise, gathering =>
      tell(follower, { type: 'presence', gathering }),
    )
    try {
      let seen = yield* this.#messages(roomId, follower, after)
      yield {
        type: 'ready',
        lastSeq: await this.#lastSeq(roomId),
        gathering: { ...before, size: before.size + 1 },
      }
      this.#presence.announce(roomId)
      for (;;) {
        for (let event = follower.news.shift(); event !== undefined; event = follower.news.shift())
          yield event
        seen = yield* this.#messages(roomId, follower, seen)
        if (follower.news.length > 0) continue
        const reason = await follower.waiter.next(Number.POSITIVE_INFINITY, signal)
        if (reason !== 'message' && reason !== 'look') return
      }
    } finally {
      follower.waiter.leave()
      forget()
      leave()
    }
  }

  /** Yields the buffered messages after `after`. Returns the seq of the last. */
  async *#messages(roomId: string, follower: Follower, after: number): AsyncGenerator<FeedEvent, number> {
    for (let seen = after; ; ) {
      const { page, locked } = await this.#rooms.enter(roomId, (tx, room) => ({
        page: tx.messages(seen, PAGE),
        locked: room?.signedOnly === true,
      }))
      for (const message of page) yield { type: 'message', message }
      // Another process has locked the room. There was no notification.
      if (locked && follower.locked === false) yield { type: 'locked' }
      follower.locked = locked
      seen = page.at(-1)?.seq ?? seen
      if (page.length < PAGE) return seen
    }
  }

  #lastSeq(roomId: string): Promise<number> {
    return this.#rooms.enter(roomId, (_, room) => room?.lastSeq ?? 0)
  }

  #remember(roomId: string, follower: Follower): () => void {
    const followers = this.#followers.get(roomId) ?? new Set()
    this.#followers.set(roomId, followers)
    followers.add(follower)
    return () => {
      followers.delete(follower)
      if (followers.size === 0 && this.#followers.get(roomId) === followers) this.#followers.delete(roomId)
    }
  }
}

function tell({ waiter, news }: Follower, event: FeedEvent): void {
  news.push(event)
  waiter.wake('message')
}
