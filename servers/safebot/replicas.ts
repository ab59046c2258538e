import type { Clock, Wakeup } from '../../shared/clock/clock.js'
import type { RoomHolders } from './domain/rooms.js'
import type { RoomWaiters } from './domain/waiters.js'
import type { Others } from './store/store.js'

/**
 * How often it is looked after what may not have been told, while anybody waits. By the machine's time:
 * waiting for others is no domain matter.
 */
const POLL_MS = 1_000

/**
 * What happens in the rooms elsewhere, in processes that share the store, brought to those who wait here.
 * Being told is a hint; a poll behind it sees to it that one that was lost costs time, and not a message.
 */
export class Replicas {
  readonly #others: Others
  readonly #waiters: RoomWaiters
  readonly #machine: Clock
  #poll: Wakeup | undefined
  #closed = false

  constructor(others: Others, waiters: RoomWaiters, holders: RoomHolders, machine: Clock) {
    this.#others = others
    this.#waiters = waiters
    this.#machine = machine
    others.onAnnounced(roomId => waiters.wake(roomId))
    others.onUnavailable(refusal => waiters.refuse(refusal))
    others.onGap(() => {
      waiters.lookAgain()
      // If it is gone again by now, there will be another gap.
      holders.tellAgain().catch(() => undefined)
    })
    waiters.onEnter = () => this.#pollLater()
  }

  close(): void {
    this.#closed = true
    this.#poll?.cancel()
  }

  #pollLater(): void {
    if (this.#poll !== undefined || this.#closed) return
    this.#poll = this.#machine.wakeAt(this.#machine.now() + POLL_MS, () => this.#look())
  }

  async #look(): Promise<void> {
    try {
      for (const roomId of await this.#others.missed(this.#waiters.rooms())) this.#waiters.wake(roomId)
    } catch {
      // The store is away: they are told so, or it is back before.
    } finally {
      this.#poll = undefined
      if (this.#waiters.total > 0) this.#pollLater()
    }
  }
}
