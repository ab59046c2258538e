import type { Clock } from '../../../shared/clock/clock.js'

/** Which rooms are held, and which were left: by id, with the instants. */
export interface Holdings {
  readonly held: readonly (readonly [roomId: string, since: number])[]
  readonly released: readonly (readonly [roomId: string, at: number])[]
}

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

  snapshot(): Holdings {
    const held = [...this.#held].map(([roomId, { since }]): [string, number] => [roomId, since])
    // Who came first matters nowhere, and two that hold the same are to look the same.
    return { held: held.toSorted(byRoom), released: [...this.#released].toSorted(byRoom) }
  }

  /** Who held a room then and does no longer counts as having left it now. */
  restore({ held, released }: Holdings): void {
    const now = this.#clock.now()
    this.#released.clear()
    for (const [roomId, at] of released) this.#released.set(roomId, at)
    for (const holding of this.#held.values()) holding.since = now
    for (const [roomId, since] of held) {
      const holding = this.#held.get(roomId)
      if (holding === undefined) this.#released.set(roomId, now)
      else holding.since = since
    }
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

function byRoom([one]: readonly [string, number], [other]: readonly [string, number]): number {
  return one < other ? -1 : 1
}
