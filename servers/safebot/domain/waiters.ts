import type { Clock } from '../../../shared/clock/clock.js'
import type { RoomHolders } from './holders.js'

/** Why a parked call goes on. */
export type WakeReason = 'message' | 'due' | 'aborted' | 'closing'

/** The calls parked in rooms, waiting for a message. Parked, a call holds one wake-up on the clock and nothing else. */
export class RoomWaiters {
  readonly #clock: Clock
  readonly #holders: RoomHolders
  readonly #rooms = new Map<string, Set<Waiter>>()
  #closing = false

  constructor(clock: Clock, holders: RoomHolders) {
    this.#clock = clock
    this.#holders = holders
  }

  /** Enters a room's waiters: from here on no message is missed. The caller must leave. */
  enter(roomId: string): Waiter {
    const waiters = this.#rooms.get(roomId) ?? new Set()
    this.#rooms.set(roomId, waiters)
    const release = this.#holders.hold(roomId)
    const waiter = new Waiter(this.#clock, this.#closing, () => {
      waiters.delete(waiter)
      if (waiters.size === 0 && this.#rooms.get(roomId) === waiters) this.#rooms.delete(roomId)
      release()
    })
    waiters.add(waiter)
    return waiter
  }

  /** A message has come into a room. */
  wake(roomId: string): void {
    for (const waiter of this.#rooms.get(roomId) ?? []) waiter.wake('message')
  }

  /** Lets every parked call go on with `closing`, and every later one. */
  close(): void {
    this.#closing = true
    for (const waiters of this.#rooms.values()) for (const waiter of waiters) waiter.wake('closing')
  }
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
   * @param deadline instant at which to go on with `due`
   */
  async next(deadline: number, signal: AbortSignal): Promise<WakeReason> {
    const news = signal.aborted ? 'aborted' : this.#news
    if (news !== undefined) {
      if (news === 'message') this.#news = undefined
      return news
    }
    const parked = new Promise<WakeReason>(resolve => {
      this.#resume = resolve
    })
    const wakeup = this.#clock.wakeAt(deadline, () => this.wake('due'))
    const onAbort = () => this.wake('aborted')
    signal.addEventListener('abort', onAbort)
    const reason = await parked
    wakeup.cancel()
    signal.removeEventListener('abort', onAbort)
    // Between the waking and this line the caller may have left: it must not be given anything then.
    return signal.aborted && reason === 'message' ? 'aborted' : reason
  }

  wake(reason: WakeReason): void {
    const resume = this.#resume
    this.#resume = undefined
    if (resume === undefined) this.#news = reason
    else resume(reason)
  }

  leave(): void {
    this.#leave()
  }
}
