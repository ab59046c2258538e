import type { Clock } from '../../../shared/clock/clock.js'

/**
 * What keeps a room from being evicted besides its own activity: calls parked in it, agents present in it.
 * Known to this process alone; a room is held by whichever process holds it.
 */
export class RoomHolders {
  readonly #clock: Clock
  readonly #held = new Map<string, { count: number; since: number }>()
  /** When the last holder of a room left it. */
  readonly #released = new Map<string, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Holds a room until the returned function is called; calling it again does nothing. */
  hold(roomId: string): () => void {
    const held = this.#held.get(roomId)
    if (held === undefined) this.#held.set(roomId, { count: 1, since: this.#clock.now() })
    else held.count++
    let holding = true
    return () => {
      if (!holding) return
      holding = false
      this.#release(roomId)
    }
  }

  /**
   * The last stretch of time in which nothing held the room, as instants: it began when the last holder left
   * (-Infinity if there never was one), and ended when the present one came (Infinity if there is none).
   */
  unheld(roomId: string): { from: number; until: number } {
    return {
      from: this.#released.get(roomId) ?? Number.NEGATIVE_INFINITY,
      until: this.#held.get(roomId)?.since ?? Number.POSITIVE_INFINITY,
    }
  }

  /** Forgets when a room was left that is no more. */
  forget(roomId: string): void {
    this.#released.delete(roomId)
  }

  #release(roomId: string): void {
    const held = this.#held.get(roomId)
    if (held === undefined) return
    held.count--
    if (held.count > 0) return
    this.#held.delete(roomId)
    this.#released.set(roomId, this.#clock.now())
  }
}
