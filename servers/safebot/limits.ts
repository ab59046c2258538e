import type { Clock } from '../../shared/clock/clock.js'
import { type BucketLevels, TokenBuckets } from '../../shared/clock/token-buckets.js'
import type { ContractName } from '../../shared/contract.js'
import { ServiceRefusal } from './domain/refusals.js'

/** Maximum size of a request body in bytes, inclusive. The service's number. */
export const BODY_LIMIT = 192 * 1024

/** The limits of the service. Null means no limit. */
export interface SafebotLimits {
  /**
   * Requests of one address for one subject. A subject is a room, a handle, or the registration of handles.
   */
  readonly requests: Rate | null
  /** Requests of one address for all subjects together. */
  readonly requestsPerAddress: Rate | null
  /** Maximum number of waiting requests of one address. */
  readonly waitersPerAddress: number | null
  /** Maximum number of waiting requests in one room. */
  readonly waitersPerRoom: number | null
  /** Maximum number of open event streams of one address. */
  readonly streamsPerAddress: number | null
  /**
   * Maximum number of signed requests of one handle in two minutes. The same number applies to signed
   * messages.
   */
  readonly signaturesPerHandle: number | null
  /** Maximum number of rooms. */
  readonly rooms: number
  /** Maximum number of registered handles. */
  readonly identities: number
  /**
   * Maximum size of all buffers: the ciphertext in base64 characters, and `MESSAGE_OVERHEAD` for each
   * message.
   */
  readonly bufferBytes: number
}

/** A rate that a token bucket enforces. */
export interface Rate {
  /** Maximum number of requests at once. */
  readonly burst: number
  /** Number of requests that become available again in each second. */
  readonly perSecond: number
}

/** Limits that protect the memory of the service, under both contracts. The service's numbers. */
const CAPS = { rooms: 5000, identities: 100_000, bufferBytes: 512 * 1024 * 1024 } as const

/** The limits of each contract. The numbers of `observed` were measured on the running service. */
export const LIMITS: Readonly<Record<ContractName, SafebotLimits>> = {
  documented: {
    ...CAPS,
    requests: null,
    requestsPerAddress: null,
    waitersPerAddress: null,
    waitersPerRoom: null,
    streamsPerAddress: null,
    signaturesPerHandle: null,
  },
  observed: {
    ...CAPS,
    requests: { burst: 300, perSecond: 100 },
    requestsPerAddress: { burst: 600, perSecond: 200 },
    waitersPerAddress: 16,
    waitersPerRoom: 256,
    streamsPerAddress: 32,
    signaturesPerHandle: 312,
  },
}

/** A snapshot of the rate limits: the levels of all token buckets. */
export interface RatesSnapshot {
  readonly bySubject: BucketLevels
  readonly byAddress: BucketLevels
}

/** Limits the rate of requests of each address, for one subject and in total. */
export class RateLimits {
  readonly #bySubject: TokenBuckets | undefined
  readonly #byAddress: TokenBuckets | undefined

  constructor(clock: Clock, limits: Pick<SafebotLimits, 'requests' | 'requestsPerAddress'>) {
    this.#bySubject = buckets(clock, limits.requests)
    this.#byAddress = buckets(clock, limits.requestsPerAddress)
  }

  /**
   * Counts a request. As in the real service, a request that the limit of its address refuses still counts
   * for its subject.
   *
   * @param subject a room id, or a text such as `auth:<handle>`
   * @param retryAfterSeconds the header `Retry-After` of a refusal
   * @throws ServiceRefusal 429
   */
  spend(address: string, subject: string, retryAfterSeconds: number): void {
    const left = this.#bySubject?.take(`${address} ${subject}`) ?? true
    if (left && (this.#byAddress?.take(address) ?? true)) return
    throw new ServiceRefusal(
      429,
      { error: 'rate limited' },
      'send fewer requests per second',
      retryAfterSeconds,
    )
  }

  snapshot(): RatesSnapshot {
    return { bySubject: this.#bySubject?.snapshot() ?? [], byAddress: this.#byAddress?.snapshot() ?? [] }
  }

  restore({ bySubject, byAddress }: RatesSnapshot): void {
    this.#bySubject?.restore(bySubject)
    this.#byAddress?.restore(byAddress)
  }
}

function buckets(clock: Clock, rate: Rate | null): TokenBuckets | undefined {
  return rate === null
    ? undefined
    : new TokenBuckets({ clock, capacity: rate.burst, perSecond: rate.perSecond })
}
