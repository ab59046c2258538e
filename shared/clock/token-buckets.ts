import type { Clock } from './clock.js'

export interface TokenBucketsOptions {
  clock: Clock
  /** Capacity of a bucket. A full one allows this many requests at once. */
  capacity: number
  /** Tokens that each bucket regains per second. */
  perSecond: number
  /** Buckets remembered; past it the one that has rested longest counts as full. Default 10,000. */
  maxBuckets?: number
}

/** When each bucket that is not full will be, the one that has rested longest first. Instants. */
export type BucketLevels = readonly (readonly [key: string, fullAt: number])[]

/**
 * Limits how often each of many may do something: so many at once, and so many a second from then on.
 *
 * A bucket is one number, the instant at which it will be full again, so nothing has to be refilled; one
 * that is full needs no memory at all.
 */
export class TokenBuckets {
  readonly #clock: Clock
  readonly #msPerToken: number
  readonly #msToFill: number
  readonly #maxBuckets: number
  /** When each bucket is full again, the one that has rested longest first. */
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

  /** Takes a token from the bucket of `key`. @returns whether there was one */
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

  /** From the front, so that no call looks at more than it lets go. */
  #forget(now: number): void {
    for (const [key, fullAt] of this.#fullAt) {
      if (fullAt > now && this.#fullAt.size <= this.#maxBuckets) return
      this.#fullAt.delete(key)
    }
  }
}
