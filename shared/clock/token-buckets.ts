import type { Clock } from './clock.js'

export interface TokenBucketsOptions {
  clock: Clock
  /** Maximum number of tokens in a bucket. A full bucket allows this number of requests at once. */
  capacity: number
  /** Tokens that each bucket regains per second. */
  perSecond: number
  /**
   * Maximum number of remembered buckets. Beyond it, the least recently used one is forgotten and counts as
   * full. Default 10,000.
   */
  maxBuckets?: number
}

/** The instant at which each bucket is full again, by key. The least recently used bucket is first. */
export type BucketLevels = readonly (readonly [key: string, fullAt: number])[]

/**
 * Limits the requests of each key. Allows a burst of `capacity` requests, and then `perSecond` requests each
 * second.
 *
 * A bucket is stored as the instant at which it is full again. So no timer has to refill it, and a full
 * bucket needs no memory.
 */
export class TokenBuckets {
  readonly #clock: Clock
  readonly #msPerToken: number
  readonly #msToFill: number
  readonly #maxBuckets: number
  /** The instant at which each bucket is full again. The least recently used bucket is first. */
  readonly #fullAt = new Map<string, number>()

  constructor({ clock, capacity, perSecond, maxBuckets = 10_000 }: TokenBucketsOptions) {
    this.#clock = clock
    this.#msPerToken = 1000 / perSecond
    this.#msToFill = capacity * this.#msPerToken
    this.#maxBuckets = maxBuckets
  }

  /** Number of remembered buckets. */
  get size(): number {
    return this.#fullAt.size
  }

  /** Takes a token from the bucket of `key`. @returns false if the bucket has no token */
  take(key: string): boolean {
    const now = this.#clock.now()
    const fullAt = Math.max(now, this.#fullAt.get(key) ?? now) + this.#msPerToken
    if (fullAt - now > this.#msToFill) return false
    this.#fullAt.delete(key)
    this.#fullAt.set(key, fullAt)
    this.#forget(now)
    return true
  }

  snapshot(): BucketLevels {
    return [...this.#fullAt]
  }

  restore(levels: BucketLevels): void {
    this.#fullAt.clear()
    for (const [key, fullAt] of levels) this.#fullAt.set(key, fullAt)
  }

  /**
   * Removes full buckets and buckets beyond the maximum, the least recently used first. Stops at the first
   * bucket that is neither.
   */
  #forget(now: number): void {
    for (const [key, fullAt] of this.#fullAt) {
      if (fullAt > now && this.#fullAt.size <= this.#maxBuckets) return
      this.#fullAt.delete(key)
    }
  }
}
