import type { Holdings, Unheld } from './store.js'

/** Which rooms this process holds, and which it has left. */
export class MemoryHoldings {
  readonly #held = new Map<string, number>()
  /** When the last holder of a room left it. */
  readonly #released = new Map<string, number>()

  hold(roomId: string, since: number): void {
    this.#held.set(roomId, since)
  }

  /** @param exists whether there is such a room: when one was left that is none makes no difference to anybody */
  release(roomId: string, at: number, exists: boolean): void {
    this.#held.delete(roomId)
    if (exists) this.#released.set(roomId, at)
  }

  unheld(roomId: string): Unheld {
    return {
      from: this.#released.get(roomId) ?? Number.NEGATIVE_INFINITY,
      until: this.#held.get(roomId) ?? Number.POSITIVE_INFINITY,
    }
  }

  /** Forgets when a room was left that is no more. */
  forget(roomId: string): void {
    this.#released.delete(roomId)
  }

  snapshot(): Holdings {
    // Who came first matters nowhere, and two that hold the same are to look the same.
    return { held: [...this.#held].toSorted(byRoom), released: [...this.#released].toSorted(byRoom) }
  }

  restore({ held, released }: Holdings): void {
    this.clear()
    for (const [roomId, since] of held) this.#held.set(roomId, since)
    for (const [roomId, at] of released) this.#released.set(roomId, at)
  }

  clear(): void {
    this.#held.clear()
    this.#released.clear()
  }
}

function byRoom([one]: readonly [string, number], [other]: readonly [string, number]): number {
  return one < other ? -1 : 1
}
