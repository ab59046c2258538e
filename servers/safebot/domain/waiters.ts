import type { Clock } from '../../../shared/clock/clock.js'
import { Refusal, wasReset } from '../../../shared/errors.js'
import type { Contract } from '../contract.js'
import type { SafebotLimits } from '../limits.js'
import type { RoomHolders } from './holders.js'
import { shuttingDown, tooManyWaiters } from './refusals.js'

/** Why a parked call goes on; with `look` there may be something, or nothing. */
export type WakeReason = 'message' | 'look' | 'due' | 'aborted' | 'closing' | 'reset' | Refusal

/** How many may wait at once. */
type WaiterLimits = Pick<SafebotLimits, 'waitersPerRoom' | 'waitersPerAddress'>

/** The calls parked in rooms, waiting for a message. Parked, a call holds one wake-up on the clock and nothing else. */
export class RoomWaiters {
  readonly #clock: Clock
  readonly #holders: RoomHolders
  readonly #limits: WaiterLimits
  readonly #rooms = new Map<string, Set<Waiter>>()
  /** How many there are by room and by address, of the calls that are counted. */
  readonly #counts = new Map<string, number>()
  #closing = false
  #resets = 0
  /** Called for each that begins to wait. */
  onEnter: (() => void) | undefined

  constructor(clock: Clock, holders: RoomHolders, limits: WaiterLimits) {
    this.#clock = clock
    this.#holders = holders
    this.#limits = limits
  }

  /**
   * Enters a room's waiters: from here on no message is missed. The caller must leave.
   *
   * @param address where the call comes from, if those are to be counted
   * @throws ServiceRefusal 429 past a limit
   */
  enter(roomId: string, address?: string): Waiter {
    const waiters = this.#rooms.get(roomId) ?? new Set()
    if (address !== undefined) this.#checkLimits(roomId, address)
    this.#rooms.set(roomId, waiters)
    this.#count(roomId, address, 1)
    const release = this.#holders.hold(roomId)
    const waiter = new Waiter(this.#clock, this.#closing, () => {
      if (!waiters.delete(waiter)) return
      if (waiters.size === 0 && this.#rooms.get(roomId) === waiters) this.#rooms.delete(roomId)
      this.#count(roomId, address, -1)
      release()
    })
    waiters.add(waiter)
    this.onEnter?.()
    return waiter
  }

  /** How many wait in a room: parked calls, and open event streams. */
  count(roomId: string): number {
    return this.#rooms.get(roomId)?.size ?? 0
  }

  /** How many wait in all rooms together. */
  get total(): number {
    let total = 0
    for (const waiters of this.#rooms.values()) total += waiters.size
    return total
  }

  /** A message has come into a room. */
  wake(roomId: string): void {
    for (const waiter of this.#rooms.get(roomId) ?? []) waiter.wake('message')
  }

  /** The rooms in which somebody waits. */
  rooms(): string[] {
    return [...this.#rooms.keys()]
  }

  /** Something may have come into any room, unnoticed. */
  lookAgain(): void {
    this.#wakeAll('look')
  }

  /** What is parked ends with that. */
  refuse(refusal: Refusal): void {
    this.#wakeAll(refusal)
  }

  /** How often all has been put back: who began to wait before that waits for what will not come. */
  get resets(): number {
    return this.#resets
  }

  /** Lets every parked call go on with `reset`; none of them holds its room any more. */
  reset(): void {
    this.#resets++
    for (const waiters of [...this.#rooms.values()]) {
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
    for (const waiters of this.#rooms.values()) for (const waiter of waiters) waiter.wake(reason)
  }

  #checkLimits(roomId: string, address: string): void {
    const { waitersPerRoom, waitersPerAddress } = this.#limits
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

/** At which moment a call looks: on arrival, on going to wait, or because there is news. */
type Moment = 'arriving' | 'parking' | 'woken'

/** What a call saw when it looked: whether that is what it came for, and its result if it leaves with it. */
interface Sight<T> {
  found: boolean
  result: T
}

interface Stay {
  roomId: string
  timeoutMs: number
  /** Where the call comes from, if those are to be counted. */
  address?: string | undefined
}

/** How a call waits in a room. */
export class Parking {
  readonly #clock: Clock
  readonly #waiters: RoomWaiters
  readonly #contract: Contract

  constructor(clock: Clock, waiters: RoomWaiters, contract: Contract) {
    this.#clock = clock
    this.#waiters = waiters
    this.#contract = contract
  }

  /**
   * Looks, and parks until there is something to see: a message, the deadline, the caller's departure.
   *
   * Having entered the waiters it looks once more, so that nothing that came in between is missed. What it sees
   * after waking counts as work of the clock's `advance`, if that is what woke it.
   *
   * @throws ServiceRefusal 429 if too many wait already
   * @throws Refusal `shutting_down` if the service closes meanwhile, `reset` if it is put back to another state,
   *   `store_unavailable` if what it waits for cannot be had any more
   */
  async until<T>(
    { roomId, timeoutMs, address }: Stay,
    signal: AbortSignal,
    look: (moment: Moment) => Promise<Sight<T>>,
  ): Promise<T> {
    const { resets } = this.#waiters
    const deadline = this.#clock.now() + timeoutMs
    const first = await look('arriving')
    if (first.found) return first.result
    const waiter = this.#waiters.enter(roomId, address)
    try {
      let seen = await this.#tracked(look('parking'))
      while (!seen.found) {
        // It may have gone by between two looks, when nobody could be woken: the deadline is of a time that is over.
        if (this.#waiters.resets !== resets) throw wasReset()
        const reason = await waiter.next(deadline, signal)
        if (reason === 'closing') throw shuttingDown()
        if (reason === 'reset') throw wasReset()
        if (reason instanceof Refusal) throw reason
        if (reason === 'aborted') break
        seen = await this.#tracked(look('woken'))
        if (reason === 'due' || (reason === 'message' && this.#contract.anyMessageEndsBlock)) break
      }
      return seen.result
    } finally {
      waiter.leave()
    }
  }

  #tracked<T>(work: Promise<T>): Promise<T> {
    this.#clock.track(work)
    return work
  }
}
