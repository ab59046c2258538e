import type { Clock } from '../../../shared/clock/clock.js'

/**
 * What keeps a room from being evicted besides its own activity: calls parked in it, agents present in it.
 * Known to this process alone; a room is held by whichever process holds it.
 */
export class RoomHolders {
  readonly #clock: Clock
  readonly #held = new Map<string, number>()
  /** When the last holder of a room left it. */
  readonly #released = new Map<string, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Holds a room until the returned function is called; calling it again does nothing. */
  hold(roomId: string): () => void {
    this.#held.set(roomId, (this.#held.get(roomId) ?? 0) + 1)
    let holding = true
    return () => {
      if (!holding) return
      holding = false
      this.#release(roomId)
    }
  }

  /** The instant from which on nothing has held the room: -Infinity if nothing ever did, undefined while something does. */
  freeSince(roomId: string): number | undefined {
    if (this.#held.has(roomId)) return undefined
    return this.#released.get(roomId) ?? Number.NEGATIVE_INFINITY
  }

  /** Forgets a room that is no more. */
  forget(roomId: string): void {
    this.#released.delete(roomId)
  }

  #release(roomId: string): void {
    const left = (this.#held.get(roomId) ?? 1) - 1
    if (left > 0) this.#held.set(roomId, left)
    else {
      this.#held.delete(roomId)
      this.#released.set(roomId, this.#clock.now())
    }
  }
}
