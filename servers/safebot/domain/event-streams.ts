import type { StoredMessage } from './model.js'
import type { ParticipantInfo, ParticipantList, Presence } from './presence.js'
import type { Rooms } from './rooms.js'
import type { RoomWaiter, RoomWaiters } from './waiters.js'

/** Maximum number of messages that a stream reads from the buffer at once. */
const MAX_PAGE_MESSAGES = 500

/** An event that a room sends to its subscribers. */
export type RoomEvent =
  | { type: 'message'; message: StoredMessage }
  /**
   * The buffered messages have been sent. The list has the participants from before the subscription, but its
   * `size` also counts the new one, as in the real service.
   */
  | { type: 'ready'; lastSeq: number; participantList: ParticipantList }
  | { type: 'presence'; participantList: ParticipantList }
  | { type: 'locked' }

/** The name of a new subscriber, and the position at which its stream starts. */
export interface SubscriberOptions extends ParticipantInfo {
  /** The stream begins with the buffered messages after this `seq`. */
  after: number
}

/** One open event stream. */
interface Subscriber {
  readonly waiter: RoomWaiter
  /** Events that have not been sent yet. Messages are read from the buffer instead. */
  readonly pendingEvents: RoomEvent[]
  /**
   * Whether the room was locked at the last read: a locked room accepts only signed messages. Undefined until
   * the first read.
   */
  wasLocked: boolean | undefined
}

/**
 * Sends the events of rooms to subscribers.
 *
 * Each subscriber reads messages from the room's buffer when it is ready for them, so no queue of messages
 * grows. A slow subscriber misses only messages that the buffer drops.
 */
export class EventStreams {
  readonly #rooms: Rooms
  readonly #waiters: RoomWaiters
  readonly #presence: Presence
  readonly #subscribers = new Map<string, Set<Subscriber>>()

  constructor(rooms: Rooms, waiters: RoomWaiters, presence: Presence) {
    this.#rooms = rooms
    this.#waiters = waiters
    this.#presence = presence
  }

  /**
   * Yields the events of a room: the buffered messages after `after`, one `ready`, and then new events. If no
   * agent has opened the room, it is created. The subscriber is a participant until the stream ends.
   *
   * @param signal ends the stream. A reset and the end of the service also end it.
   * @throws ServiceRefusal 400 for an invalid room id, 503 if the room cannot be opened
   */
  async *subscribe(
    roomId: string,
    { after, ...participant }: SubscriberOptions,
    signal: AbortSignal,
  ): AsyncGenerator<RoomEvent> {
    await this.#rooms.open(roomId)
    const subscriber: Subscriber = {
      waiter: this.#waiters.add(roomId),
      pendingEvents: [],
      wasLocked: undefined,
    }
    const remove = this.#addSubscriber(roomId, subscriber)
    const earlier = this.#presence.participantList(roomId)
    const leave = this.#presence.join(roomId, participant, participantList =>
      queueEvent(subscriber, { type: 'presence', participantList }),
    )
    try {
      let lastSent = yield* this.#messages(roomId, subscriber, after)
      yield {
        type: 'ready',
        lastSeq: await this.#lastSeq(roomId),
        participantList: { ...earlier, size: earlier.size + 1 },
      }
      this.#presence.announce(roomId)
      for (;;) {
        for (
          let event = subscriber.pendingEvents.shift();
          event !== undefined;
          event = subscriber.pendingEvents.shift()
        )
          yield event
        lastSent = yield* this.#messages(roomId, subscriber, lastSent)
        if (subscriber.pendingEvents.length > 0) continue
        const reason = await subscriber.waiter.next(Number.POSITIVE_INFINITY, signal)
        if (reason !== 'message' && reason !== 'recheck') return
      }
    } finally {
      subscriber.waiter.leave()
      remove()
      leave()
    }
  }

  /**
   * Yields the buffered messages after `after`, and `locked` if the room was locked since the last read.
   * Returns the `seq` of the last message, or `after` if there is none.
   */
  async *#messages(roomId: string, subscriber: Subscriber, after: number): AsyncGenerator<RoomEvent, number> {
    for (let lastSent = after; ; ) {
      const { page, locked } = await this.#rooms.transaction(roomId, (tx, room) => ({
        page: tx.messages(lastSent, MAX_PAGE_MESSAGES),
        locked: room?.signedOnly === true,
      }))
      for (const message of page) yield { type: 'message', message }
      // A subscriber that joins a locked room gets no event.
      if (locked && subscriber.wasLocked === false) yield { type: 'locked' }
      subscriber.wasLocked = locked
      lastSent = page.at(-1)?.seq ?? lastSent
      if (page.length < MAX_PAGE_MESSAGES) return lastSent
    }
  }

  #lastSeq(roomId: string): Promise<number> {
    return this.#rooms.transaction(roomId, (_, room) => room?.lastSeq ?? 0)
  }

  /** Adds a subscriber. Returns the function that removes it. */
  #addSubscriber(roomId: string, subscriber: Subscriber): () => void {
    const subscribers = this.#subscribers.get(roomId) ?? new Set()
    this.#subscribers.set(roomId, subscribers)
    subscribers.add(subscriber)
    return () => {
      subscribers.delete(subscriber)
      if (subscribers.size === 0 && this.#subscribers.get(roomId) === subscribers)
        this.#subscribers.delete(roomId)
    }
  }
}

/** Queues an event and wakes the subscriber. */
function queueEvent({ waiter, pendingEvents }: Subscriber, event: RoomEvent): void {
  pendingEvents.push(event)
  waiter.wake('message')
}
