import type { Clock } from '../../../shared/clock/clock.js'
import { Refusal, wasReset } from '../../../shared/errors.js'
import type { Contract } from '../contract.js'
import type { SafebotLimits } from '../limits.js'
import { shuttingDown, tooManyWaiters } from './refusals.js'
import type { RoomPins } from './rooms.js'
import type { SafebotStore } from './store.js'

/** The reason why a waiting request continues. After `look` there may be nothing new. */
export type WakeReason = 'message' | 'look' | 'due' | 'aborted' | 'closing' | 'reset' | Refusal

/**
 * The moments at which a request looks into its room: on arrival, before it waits, and after each wake-up.
 */
export type Moment = 'arriving' | 'parking' | 'woken'

/** The time of a request in a room. */
interface Stay {
  roomId: string
  timeoutMs: number
  /** The caller's address, if requests of an address are counted. */
  address?: string | undefined
}

export interface RoomWaitersOptions {
  clock: Clock
  holders: RoomPins
  contract: Contract
  /** Largest numbers of waiting requests. */
  limits: Pick<SafebotLimits, 'waitersPerRoom' | 'waitersPerAddress'>
  /** Source of notifications in rooms, from every replica. */
  store: Pick<SafebotStore, 'watch'>
}

/** The waiting requests of one room, and the function that ends the watch. */
interface RoomWatch {
  readonly waiters: Set<RoomWaiter>
  readonly unwatch: () => void
}

/**
 * The requests that wait in rooms for a message. A waiting request holds one wake-up on the clock and no
 * more.
 */
export class RoomWaiters {
  readonly #options: RoomWaitersOptions
  readonly #rooms = new Map<string, RoomWatch>()
  /** Numbers of counted requests, by room and by address. */
  readonly #counts = new Map<string, number>()
  #closing = false
  /** Number of resets. */
  #resets = 0

  constructor(options: RoomWaitersOptions) {
    this.#options = options
  }

  /**
   * Yields the moments at which a request looks into its room. The request leaves the loop when it has its
   * result. Otherwise the loop ends with the time-out, or when the caller has left.
   *
   * The request looks again after it was added to the waiting ones, so it misses nothing in between. The
   * clock's `advance` waits for the work after a wake-up. The request is removed in every case.
   *
   * @throws ServiceRefusal 429 if too many requests wait
   * @throws Refusal `shutting_down` if the service closes, `reset` if its state is replaced,
   *   `store_unavailable` if
   *   the store cannot deliver any more
   */
  async *moments({ roomId, timeoutMs, address }: Stay, signal: AbortSignal): AsyncGenerator<Moment> {
    const { clock, contract } = this.#options
    const resets = this.#resets
    const deadline = clock.now() + timeoutMs
    yield 'arriving'
    const waiter = this.enter(roomId, address)
    try {
      yield* this.#tracked('parking')
      for (;;) {
        // A reset between two looks wakes no request. The deadline belongs to the old time.
        if (this.#resets !== resets) throw wasReset()
        const reason = await waiter.next(deadline, signal)
        if (reason === 'closing') throw shuttingDown()
        if (reason === 'reset') throw wasReset()
        if (reason instanceof Refusal) throw reason
        if (reason === 'aborted') return
        yield* this.#tracked('woken')
        if (reason === 'due' || (reason === 'message' && contract.anyMessageEndsBlock)) return
      }
    } finally {
      waiter.leave()
    }
  }

  /** Yields a moment. The clock tracks the work until the loop continues or ends. */
  *#tracked(moment: Moment): Generator<Moment> {
    let done = () => {}
    const work = new Promise<void>(resolve => {
      done = resolve
    })
    this.#options.clock.track(work)
    try {
      yield moment
    } finally {
      done()
    }
  }

  /**
   * Adds a waiting request to a room, which then misses no message. The caller must leave.
   *
   * @param address the caller's address, if requests of an address are counted
   * @throws ServiceRefusal 429 above a limit
   */
  enter(roomId: string, address?: string): RoomWaiter {
    if (address !== undefined) this.#checkLimits(roomId, address)
    const room = this.#rooms.get(roomId) ?? this.#watch(roomId)
    const { waiters } = room
    this.#count(roomId, address, 1)
    const release = this.#options.holders.hold(roomId)
    const waiter = new RoomWaiter(this.#options.clock, this.#closing, () => {
      if (!waiters.delete(waiter)) return
      if (waiters.size === 0 && this.#rooms.get(roomId) === room) {
        this.#rooms.delete(roomId)
        room.unwatch()
      }
      this.#count(roomId, address, -1)
      release()
    })
    waiters.add(waiter)
    return waiter
  }

  /** Returns the number of waiting requests and open event streams in a room. */
  count(roomId: string): number {
    return this.#rooms.get(roomId)?.waiters.size ?? 0
  }

  /** The number in all rooms together. */
  get total(): number {
    let total = 0
    for (const { waiters } of this.#rooms.values()) total += waiters.size
    return total
  }

  /** Wakes all requests, because a notification may have been lost. */
  lookAgain(): void {
    this.#wakeAll('look')
  }

  /** Ends all waiting requests with a refusal. */
  refuse(refusal: Refusal): void {
    this.#wakeAll(refusal)
  }

  /** Ends all waiting requests with `reset`, and their pins. */
  reset(): void {
    this.#resets++
    for (const { waiters } of [...this.#rooms.values()]) {
      for (const waiter of [...waiters]) {
        waiter.wake('reset')
        waiter.leave()
      }
    }
  }

  /** Ends all waiting requests, and later ones, with `closing`. */
  close(): void {
    this.#closing = true
    this.#wakeAll('closing')
  }

  #wakeAll(reason: WakeReason): void {
    for (const { waiters } of this.#rooms.values()) for (const waiter of waiters) waiter.wake(reason)
  }

  #watch(roomId: string): RoomWatch {
    const waiters = new Set<RoomWaiter>()
    const unwatch = this.#options.store.watch(roomId, () => {
      for (const waiter of waiters) waiter.wake('message')
    })
    const room = { waiters, unwatch }
    this.#rooms.set(roomId, room)
    return room
  }

  #checkLimits(roomId: string, address: string): void {
    const { waitersPerRoom, waitersPerAddress } = this.#options.limits
    if (reaches(this.#counts.get(roomKey(roomId)), waitersPerRoom)) throw tooManyWaiters('for this room')
    if (reaches(this.#counts.get(addressKey(address)), waitersPerAddress))
      throw tooManyWaiters('from this IP')
  }

  #count(roomId: string, address: string | undefined, by: number): void {
    if (address === undefined) return
    for (const key of [roomKey(roomId), addressKey(address)]) {
      const count = (this.#counts.get(key) ?? 0) + by
      if (count > 0) this.#counts.set(key, count)
      else this.#counts.delete(key)
    }
  }
}

const roomKey = (roomId: string) => `room ${roomId}`
const addressKey = (address: string) => `address ${address}`

function reaches(count = 0, limit: number | null): boolean {
  return limit !== null && count >= limit
}

/** A waiting request in a room. */
export class RoomWaiter {
  readonly #clock: Clock
  readonly #leave: () => void
  /** The event since the request last looked. */
  #news: WakeReason | undefined
  #resume: ((reason: WakeReason) => void) | undefined

  constructor(clock: Clock, closing: boolean, leave: () => void) {
    this.#clock = clock
    this.#leave = leave
    if (closing) this.#news = 'closing'
  }

  /**
   * Waits for an event. An event since the last call returns at once.
   *
   * @param deadline instant at which it returns `due`. Infinity: never
   */
  async next(deadline: number, signal: AbortSignal): Promise<WakeReason> {
    const news = signal.aborted ? 'aborted' : this.#news
    if (news !== undefined) {
      if (!isFinal(news)) this.#news = undefined
      return news
    }
    const parked = new Promise<WakeReason>(resolve => {
      this.#resume = resolve
    })
    const wakeup =
      deadline === Number.POSITIVE_INFINITY ? undefined : this.#clock.wakeAt(deadline, () => this.wake('due'))
    const onAbort = () => this.wake('aborted')
    signal.addEventListener('abort', onAbort)
    const reason = await parked
    wakeup?.cancel()
    signal.removeEventListener('abort', onAbort)
    // The caller may have left between the wake-up and this line. It must not get a message then.
    return signal.aborted && (reason === 'message' || reason === 'look') ? 'aborted' : reason
  }

  wake(reason: WakeReason): void {
    const resume = this.#resume
    this.#resume = undefined
    // A message must not replace an event that ends the wait.
    if (isFinal(this.#news)) return
    if (resume !== undefined) resume(reason)
    else if (reason !== 'look' || this.#news === undefined) this.#news = reason
  }

  leave(): void {
    this.#leave()
  }
}

function isFinal(news: WakeReason | undefined): boolean {
  return news === 'closing' || news === 'reset'
}
