import type { Clock } from '../../../shared/clock/clock.js'
import { Refusal, wasReset } from '../../../shared/errors.js'
import type { Contract } from '../contract.js'
import type { SafebotLimits } from '../limits.js'
import { shuttingDown, tooManyWaiters } from './refusals.js'
import type { RoomPins } from './rooms.js'
import type { SafebotStore } from './store.js'

/** The reason why a waiting request continues. `recheck` means that a notification may have been lost. */
export type WakeReason = 'message' | 'recheck' | 'timeout' | 'aborted' | 'closing' | 'reset' | Refusal

/**
 * The phase of a request that may wait. It checks its room once in the phases `arrived` and `waiting`, and
 * whenever it was `woken`.
 */
export type RequestPhase = 'arrived' | 'waiting' | 'woken'

/** A request that may wait in a room. */
interface RoomRequest {
  roomId: string
  /** Maximum wait in milliseconds. */
  timeoutMs: number
  /** The caller's address. Undefined: the limits of waiting requests do not apply. */
  address?: string | undefined
}

export interface RoomWaitersOptions {
  clock: Clock
  pins: RoomPins
  contract: Contract
  /** Maximum numbers of waiting requests. */
  limits: Pick<SafebotLimits, 'waitersPerRoom' | 'waitersPerAddress'>
  /** Notifies of changes in rooms, by any replica. */
  store: Pick<SafebotStore, 'watch'>
}

/** The waiting requests of one room, and the function that ends the room's notifications. */
interface RoomWatch {
  readonly waiters: Set<RoomWaiter>
  readonly unwatch: () => void
}

/**
 * Keeps the requests that wait for a message in a room, and wakes them. Event streams wait in the same way,
 * without a time limit.
 */
export class RoomWaiters {
  readonly #options: RoomWaitersOptions
  readonly #rooms = new Map<string, RoomWatch>()
  /** Numbers of waiting requests with an address, by {@link roomKey} and by {@link addressKey}. */
  readonly #counts = new Map<string, number>()
  #closing = false
  /** Number of resets so far. */
  #resets = 0

  constructor(options: RoomWaitersOptions) {
    this.#options = options
  }

  /**
   * Yields a phase whenever a request has to check its room. The caller breaks out of the loop when it has a
   * result. Otherwise the loop ends at the time-out, or when `signal` is aborted.
   *
   * The request checks its room a second time after it has been registered as waiting. So it cannot miss a
   * message that arrives in between. The clock's `advance` waits for the work that follows a phase. The
   * registration ends with the loop.
   *
   * @param signal aborted when the caller leaves
   * @throws ServiceRefusal 429 if too many requests wait
   * @throws Refusal `shutting_down` if the service closes; `reset` if the state is replaced;
   *   `store_unavailable` if the store sends no more notifications
   */
  async *phases(
    { roomId, timeoutMs, address }: RoomRequest,
    signal: AbortSignal,
  ): AsyncGenerator<RequestPhase> {
    const { clock, contract } = this.#options
    const resets = this.#resets
    const deadline = clock.now() + timeoutMs
    yield 'arrived'
    const waiter = this.add(roomId, address)
    try {
      yield* this.#trackedPhase('waiting')
      for (;;) {
        // A reset during a check has not woken the request. The deadline is an instant of the old state.
        if (this.#resets !== resets) throw wasReset()
        const reason = await waiter.next(deadline, signal)
        if (reason === 'closing') throw shuttingDown()
        if (reason === 'reset') throw wasReset()
        if (reason instanceof Refusal) throw reason
        if (reason === 'aborted') return
        yield* this.#trackedPhase('woken')
        if (reason === 'timeout' || (reason === 'message' && contract.anyMessageEndsBlock)) return
      }
    } finally {
      waiter.leave()
    }
  }

  /** Yields a phase. The clock's `advance` waits until the loop continues or ends. */
  *#trackedPhase(phase: RequestPhase): Generator<RequestPhase> {
    let done = () => {}
    const work = new Promise<void>(resolve => {
      done = resolve
    })
    this.#options.clock.track(work)
    try {
      yield phase
    } finally {
      done()
    }
  }

  /**
   * Registers a waiting request, which pins the room. The request is notified of every message from now on.
   * The caller must call `leave` on the result.
   *
   * @param address the caller's address. Default: the limits do not apply
   * @throws ServiceRefusal 429 above a limit
   */
  add(roomId: string, address?: string): RoomWaiter {
    if (address !== undefined) this.#checkLimits(roomId, address)
    const room = this.#rooms.get(roomId) ?? this.#watch(roomId)
    const { waiters } = room
    this.#count(roomId, address, 1)
    const release = this.#options.pins.pin(roomId)
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

  /** Number of waiting requests and open event streams in all rooms together. */
  get total(): number {
    let total = 0
    for (const { waiters } of this.#rooms.values()) total += waiters.size
    return total
  }

  /** Wakes all waiting requests, because a notification may have been lost. */
  recheckAll(): void {
    this.#wakeAll('recheck')
  }

  /** Ends all waiting requests with a refusal. */
  refuse(refusal: Refusal): void {
    this.#wakeAll(refusal)
  }

  /** Ends all waiting requests with `reset`. Their rooms are unpinned before this method returns. */
  reset(): void {
    this.#resets++
    for (const { waiters } of [...this.#rooms.values()]) {
      for (const waiter of [...waiters]) {
        waiter.wake('reset')
        waiter.leave()
      }
    }
  }

  /** Ends all waiting requests with `closing`. Later requests end in the same way. */
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
    if (isAtLimit(this.#counts.get(roomKey(roomId)), waitersPerRoom)) throw tooManyWaiters('for this room')
    if (isAtLimit(this.#counts.get(addressKey(address)), waitersPerAddress))
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

function isAtLimit(count = 0, limit: number | null): boolean {
  return limit !== null && count >= limit
}

/**
 * One waiting request in a room.
 *
 * A reason that arrives while the request is not in {@link next} is kept for the next call. The reasons
 * `closing` and `reset` are final: every later call returns them.
 */
export class RoomWaiter {
  readonly #clock: Clock
  readonly #leave: () => void
  /** The reason that the next call of {@link next} returns at once. */
  #pendingReason: WakeReason | undefined
  #resume: ((reason: WakeReason) => void) | undefined

  constructor(clock: Clock, closing: boolean, leave: () => void) {
    this.#clock = clock
    this.#leave = leave
    if (closing) this.#pendingReason = 'closing'
  }

  /**
   * Waits for a reason to continue. Returns at once if there was one since the last call.
   *
   * @param deadline instant of the time-out, in milliseconds since the epoch. Infinity: no time-out
   * @param signal aborted when the caller leaves
   */
  async next(deadline: number, signal: AbortSignal): Promise<WakeReason> {
    const pending = signal.aborted ? 'aborted' : this.#pendingReason
    if (pending !== undefined) {
      if (!isFinal(pending)) this.#pendingReason = undefined
      return pending
    }
    const resumed = new Promise<WakeReason>(resolve => {
      this.#resume = resolve
    })
    const wakeup =
      deadline === Number.POSITIVE_INFINITY
        ? undefined
        : this.#clock.wakeAt(deadline, () => this.wake('timeout'))
    const onAbort = () => this.wake('aborted')
    signal.addEventListener('abort', onAbort)
    const reason = await resumed
    wakeup?.cancel()
    signal.removeEventListener('abort', onAbort)
    // The caller may have left since the request was woken. The request must then not claim a message for it.
    return signal.aborted && (reason === 'message' || reason === 'recheck') ? 'aborted' : reason
  }

  /** Wakes the request, or keeps the reason for its next call of {@link next}. */
  wake(reason: WakeReason): void {
    const resume = this.#resume
    this.#resume = undefined
    // No other reason may replace a final one.
    if (isFinal(this.#pendingReason)) return
    if (resume !== undefined) resume(reason)
    else if (reason !== 'recheck' || this.#pendingReason === undefined) this.#pendingReason = reason
  }

  /** Ends the registration and unpins the room. Further calls do nothing. */
  leave(): void {
    this.#leave()
  }
}

/** Returns whether a reason ends the wait for good. */
function isFinal(reason: WakeReason | undefined): boolean {
  return reason === 'closing' || reason === 'reset'
}
