import { IdSource } from '#built/shared/ids.js'

/** Decisions that are the same for the same seed, in the same order. */
export class Dice {
  readonly #ids: IdSource

  constructor(seed: string) {
    this.#ids = new IdSource(seed)
  }

  /** A whole number from 0 on, below `limit`. */
  below(limit: number): number {
    return this.#ids.bytes(4).readUInt32BE() % limit
  }

  /** True in so many cases of a hundred. */
  percent(chance: number): boolean {
    return this.below(100) < chance
  }

  pick<T>(from: readonly T[]): T {
    const picked = from[this.below(from.length)]
    if (picked === undefined) throw new Error('nothing can be picked from nothing')
    return picked
  }
}
