import type { Clock } from '../../../shared/clock/clock.js'
import { Refusal, wasReset } from '../../../shared/errors.js'
import type { Contract } from '../contract.js'
import type { SafebotLimits } from '../limits.js'
import { shuttingDown, tooManyWaiters } from './refusals.js'
import type { RoomHolders } from './rooms.js'
import type { SafebotStore } from './store.js'

/** Why a parked call goes on; with `look` there may be something, or nothing. */
export type WakeReason = 'message' | 'look' | 'due' | 'aborted' | 'closing' | 'reset' | Refusal

/** When a call looks into its room: on arrival, on going to wait, and after each wake-up. */
export type Moment = 'arriving' | 'parking' | 'woken'

/** How long a call stays in a room. */
interface Stay {
  roomId: string
  timeoutMs: number
  /** Where the call comes from, if those are to be counted. */
  address?: string | undefined
}

export interface RoomWaitersOptions {
  clock: Clock
  holders: RoomHolders
  contract: Contract
  /** How many may wait at once. */
  limits: Pick<SafebotLimits, 'waitersPerRoom' | 'waitersPerAddress'>
  /** Tells of announcements in rooms, on every replica. */
  store: Pick<SafebotStore, 'watch'>
}

/** The waiters of one room, and what ends the watch that wakes them. */
interface RoomWatch {
  readonly waiters: Set<Waiter>
  readonly unwatch: () => void
}

/** The calls parked in rooms, waiting for a message. Parked, a call holds one wake-up on the clock and nothing else. */
export class RoomWaiters {
  readonly #options: RoomWaitersOptions
  readonly #rooms = new Map<string, RoomWatch>()
  /** How many there are by room and by address, of the calls that are counted. */
  readonly #counts = new Map<string, number>()
  #closing = false
  /** How often all has been put back. */
  #resets = 0

  constructor(options: RoomWaitersOptions) {
    this.#options = options
  }

  /**
   * The moments at which a call looks into its room. The call leaves the loop with what it came for. Otherwise the
   * loop ends with the timeout, or when its caller has gone.
   *
   * The call looks once more when it has entered the waiters, so it misses nothing that came in between. The clock's
   * `advance` waits for the work that follows a wake-up. The call leaves the waiters in every case.
   *
   * @throws ServiceRefusal 429 if too many wait already
   * @throws Refusal `shutting_down` if the service closes meanwhile, `reset` if it is put back to another state,
   *   `store_unavailable` if what it waits for cannot be had any more
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
        // A reset between two looks wakes nobody: the deadline is of a time that is over.
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

  /** Yields a moment. The clock tracks the work until the loop goes on or ends. */
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
   * Enters a room's waiters: from here on no message is missed. The caller must leave.
   *
   * @param address where the call comes from, if those are to be counted
   * @throws ServiceRefusal 429 past a limit
   */
  enter(roomId: string, address?: string): Waiter {
    if (address !== undefined) this.#checkLimits(roomId, address)
    const room = this.#rooms.get(roomId) ?? this.#watch(roomId)
    const { waiters } = room
    this.#count(roomId, address, 1)
    const release = this.#options.holders.hold(roomId)
    const waiter = new Waiter(this.#options.clock, this.#closing, () => {
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

  /** How many wait in a room: parked calls, and open event streams. */
  count(roomId: string): number {
    return this.#rooms.get(roomId)?.waiters.size ?? 0
  }

  /** How many wait in all rooms together. */
  get total(): number {
    let total = 0
    for (const { waiters } of this.#rooms.values()) total += waiters.size
    return total
  }

  /** Something may have come into any room, unnoticed. */
  lookAgain(): void {
    this.#wakeAll('look')
  }

  /** What is parked ends with that. */
  refuse(refusal: Refusal): void {
    this.#wakeAll(refusal)
  }

  /** Lets every parked call go on with `reset`; none of them holds its room any more. */
  reset(): void {
    this.#resets++
    for (const { waiters } of [...this.#rooms.values()]) {
      for (const waiter of [...waiters]) {
        waiter.wake('reset')
        waiter.leave()
      }
    }
  }

  /** Lets every parked call go on with `closing`, and every later one. */
  close(): void {
    this.#closing = true
    this.#wakeAll('closing')
  }

  #wakeAll(reason: WakeReason): void {
    for (const { waiters } of this.#rooms.values()) for (const waiter of waiters) waiter.wake(reason)
  }

  #watch(roomId: string): RoomWatch {
    const waiters = new Set<Waiter>()
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

/** One call's place among a room's waiters. */
export class Waiter {
  readonly #clock: Clock
  readonly #leave: () => void
  /** What has happened since the call last looked. */
  #news: WakeReason | undefined
  #resume: ((reason: WakeReason) => void) | undefined

  constructor(clock: Clock, closing: boolean, leave: () => void) {
    this.#clock = clock
    this.#leave = leave
    if (closing) this.#news = 'closing'
  }

  /**
   * Parks until there is news; news that came since the last call returns at once.
   *
   * @param deadline instant at which to go on with `due`; Infinity: never
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
    // Between the waking and this line the caller may have left: it must not be given anything then.
    return signal.aborted && (reason === 'message' || reason === 'look') ? 'aborted' : reason
  }

  wake(reason: WakeReason): void {
    const resume = this.#resume
    this.#resume = undefined
    // What ends the waiting is not to be forgotten over a message.
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
