import type { Clock } from '../../shared/clock/clock.js'
import { type BucketLevels, TokenBuckets } from '../../shared/clock/token-buckets.js'
import type { ContractName } from '../../shared/contract.js'
import { ServiceRefusal } from './domain/refusals.js'

/** Largest body of a request in bytes, inclusive. */
export const BODY_LIMIT = 192 * 1024

/** The limits of the service. Null: no limit. */
export interface SafebotLimits {
  /** Requests per address and subject (a room, a handle): at once and per second. */
  readonly requests: Rate | null
  /** Requests per address, for all subjects together. */
  readonly requestsPerAddress: Rate | null
  /** Waiting requests per address. */
  readonly waitersPerAddress: number | null
  /** Waiting requests per room. */
  readonly waitersPerRoom: number | null
  /** Open event streams per address. */
  readonly streamsPerAddress: number | null
  /** Signed requests per handle in two minutes, and as many signed messages. */
  readonly signaturesPerHandle: number | null
  readonly rooms: number
  readonly identities: number
  /** Characters of ciphertext in all rooms together, and {@link MESSAGE_OVERHEAD} for each message. */
  readonly bufferBytes: number
}

export interface Rate {
  readonly burst: number
  readonly perSecond: number
}

/** Limits against a full memory, under either contract. The service's own numbers. */
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

/** The used tokens of the rates, as plain data. */
export interface SpentRates {
  readonly bySubject: BucketLevels
  readonly byAddress: BucketLevels
}

/** Limits the requests of an address: per subject, and in all. */
export class Rates {
  readonly #bySubject: TokenBuckets | undefined
  readonly #byAddress: TokenBuckets | undefined

  constructor(clock: Clock, limits: Pick<SafebotLimits, 'requests' | 'requestsPerAddress'>) {
    this.#bySubject = buckets(clock, limits.requests)
    this.#byAddress = buckets(clock, limits.requestsPerAddress)
  }

  /**
   * Counts a request. The subject's token is used even if the address has none left.
   *
   * @param subject a room or a handle
   * @param retryAfterSeconds the advice in a refusal
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
