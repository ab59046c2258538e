import type { Clock } from '../../../shared/clock/clock.js'
import { type BucketLevels, TokenBuckets } from '../../../shared/clock/token-buckets.js'
import type { Rate, SafebotLimits } from '../limits.js'
import { ServiceRefusal } from './refusals.js'

/** What has been spent, as plain data. */
export interface SpentRates {
  readonly bySubject: BucketLevels
  readonly byAddress: BucketLevels
}

/** How often an address may ask for something: by what it asks for, and in all. */
export class Rates {
  readonly #bySubject: TokenBuckets | undefined
  readonly #byAddress: TokenBuckets | undefined

  constructor(clock: Clock, limits: Pick<SafebotLimits, 'requests' | 'requestsPerAddress'>) {
    this.#bySubject = buckets(clock, limits.requests)
    this.#byAddress = buckets(clock, limits.requestsPerAddress)
  }

  /**
   * Counts a request. What it takes of its subject is gone even if its address has nothing left.
   *
   * @param subject what it concerns: a room, a handle
   * @param retryAfterSeconds what a refusal is to advise
   * @throws ServiceRefusal 429
   */
  spend(address: string, subject: string, retryAfterSeconds: number): void {
    const left = this.#bySubject?.take(`${address} ${subject}`) ?? true
    if (left && (this.#byAddress?.take(address) ?? true)) return
    throw new ServiceRefusal(429, { error: 'rate limited' }, 'ask less often', retryAfterSeconds)
  }

  snapshot(): SpentRates {
    return { bySubject: this.#bySubject?.snapshot() ?? [], byAddress: this.#byAddress?.snapshot() ?? [] }
  }

  restore({ bySubject, byAddress }: SpentRates): void {
    this.#bySubject?.restore(bySubject)
    this.#byAddress?.restore(byAddress)
  }
}

function buckets(clock: Clock, rate: Rate | null): TokenBuckets | undefined {
  return rate === null
    ? undefined
    : new TokenBuckets({ clock, capacity: rate.burst, perSecond: rate.perSecond })
}
