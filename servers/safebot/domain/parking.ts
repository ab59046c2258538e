import type { Clock } from '../../../shared/clock/clock.js'
import { Refusal, wasReset } from '../../../shared/errors.js'
import type { Contract } from '../contract.js'
import { shuttingDown } from './refusals.js'
import type { RoomWaiters } from './waiters.js'

/** At which moment a call looks: on arrival, on going to wait, or because there is news. */
export type Moment = 'arriving' | 'parking' | 'woken'

/** What a call saw when it looked: whether that is what it came for, and its result if it leaves with it. */
export interface Sight<T> {
  found: boolean
  result: T
}

export interface Stay {
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
