import type { ContractName } from '../../shared/contract.js'

/** The most bytes a request's body may have, inclusive. */
export const BODY_LIMIT = 192 * 1024

/** How much the service puts up with; null: any amount. */
export interface SafebotLimits {
  /** Requests per address and subject (a room, a handle): that many at once, and that many a second. */
  readonly requests: Rate | null
  /** Requests per address, whatever they concern. */
  readonly requestsPerAddress: Rate | null
  /** Parked waits and claims per address. */
  readonly waitersPerAddress: number | null
  /** Parked waits and claims per room. */
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

/** What keeps a service from running out of memory, under either contract: the service's own numbers. */
const CAPS = { rooms: 5000, identities: 100_000, bufferBytes: 512 * 1024 * 1024 } as const

/** What each contract allows; the numbers of `observed` were measured on the running service. */
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
