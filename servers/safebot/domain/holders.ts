import type { Clock } from '../../../shared/clock/clock.js'
import type { Holdings, SafebotStore } from '../store/store.js'

/**
 * What keeps a room from being evicted besides its own activity: calls parked in it, agents present in it.
 * The store is told of the first and the last of them, so that no other process takes the room for
 * abandoned.
 */
export class RoomHolders {
  readonly #clock: Clock
  readonly #store: Pick<SafebotStore, 'hold' | 'release' | 'holdOnly'>
  readonly #held = new Map<string, { count: number; since: number }>()
  /** What the store is being told, by room. */
  readonly #telling = new Map<string, Promise<void>>()

  constructor(clock: Clock, store: Pick<SafebotStore, 'hold' | 'release' | 'holdOnly'>) {
    this.#clock = clock
    this.#store = store
  }

  /** Holds a room until the returned function is called; calling it again does nothing. */
  hold(roomId: string): () => void {
    const held = this.#held.get(roomId)
    if (held === undefined) this.#hold(roomId, this.#clock.now())
    else held.count++
    let holding = true
    return () => {
      if (!holding) return
      holding = false
      this.#release(roomId)
    }
  }

  /** Resolves when the store knows how this process holds the room; undefined: it does. */
  settled(roomId: string): Promise<void> | undefined {
    return this.#telling.get(roomId)
  }

  /** Resolves when the store knows of all rooms. */
  async allSettled(): Promise<void> {
    await Promise.all(this.#telling.values())
  }

  /** Who held a room in another state and does no longer counts as having left it now. */
  restore(held: Holdings['held']): void {
    const now = this.#clock.now()
    const before = new Map(held)
    for (const [roomId, holding] of this.#held) {
      holding.since = before.get(roomId) ?? now
      this.#tell(roomId, () => this.#store.hold(roomId, holding.since))
    }
    for (const [roomId] of held) {
      if (!this.#held.has(roomId)) this.#tell(roomId, () => this.#store.release(roomId, now))
    }
  }

  /** Tells the store all over again: it may not have been there when it was told, or have taken this process for gone. */
  async tellAgain(): Promise<void> {
    await this.allSettled()
    const held = new Map([...this.#held].map(([roomId, { since }]) => [roomId, since]))
    await this.#store.holdOnly([...held], this.#clock.now())
    // Who has left meanwhile may have said so before that was told.
    const now = this.#clock.now()
    for (const roomId of held.keys()) {
      if (!this.#held.has(roomId)) this.#tell(roomId, () => this.#store.release(roomId, now))
    }
    for (const [roomId, { since }] of this.#held) {
      if (held.get(roomId) !== since) this.#tell(roomId, () => this.#store.hold(roomId, since))
    }
  }

  #hold(roomId: string, since: number): void {
    this.#held.set(roomId, { count: 1, since })
    this.#tell(roomId, () => this.#store.hold(roomId, since))
  }

  #release(roomId: string): void {
    const held = this.#held.get(roomId)
    if (held === undefined) return
    held.count--
    if (held.count > 0) return
    this.#held.delete(roomId)
    const now = this.#clock.now()
    this.#tell(roomId, () => this.#store.release(roomId, now))
  }

  /** Tells the store one thing after the other. What it cannot be told now it is told when it is back. */
  #tell(roomId: string, tell: () => Promise<void> | undefined): void {
    const before = this.#telling.get(roomId)
    const telling = before === undefined ? tell() : before.then(tell)
    if (telling === undefined) return
    const told = telling.then(nothing, nothing)
    this.#telling.set(roomId, told)
    void told.then(() => {
      if (this.#telling.get(roomId) === told) this.#telling.delete(roomId)
    })
  }
}

function nothing(): void {}
