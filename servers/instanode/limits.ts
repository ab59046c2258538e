import type { Contract } from './contract.js'
import type { DatabaseLimits } from './databases/provider.js'
import type { Tier } from './domain/model.js'

/**
 * Largest body of a request, in bytes. A receiver refuses a larger delivery with 413. All other routes read a
 * larger body as empty, as the real service does.
 */
export const BODY_LIMIT = 1024 * 1024

/**
 * The limit of the HTTP requests of one address: a token bucket of `atOnce` requests that refills by
 * `perSecond`.
 */
export interface RequestLimit {
  atOnce: number
  perSecond: number
}

/** The request limit in the code of the real service. */
export const REQUEST_LIMIT: RequestLimit = { atOnce: 20, perSecond: 10 }

export interface TierLimits {
  readonly storageMb: number
  readonly connections: number
  readonly requestsStored: number
}

/** The limits in the published prices of the service. */
const LIMITS: Readonly<Record<Tier, TierLimits>> = {
  anonymous: { storageMb: 10, connections: 2, requestsStored: 100 },
  paid: { storageMb: 500, connections: 5, requestsStored: 1000 },
}

/**
 * Lifetime of a resource that is not paid. Answers contain `text`, which is the whole lifetime, also when
 * less time is left.
 */
export const LIFETIME = { ms: 24 * 60 * 60_000, text: '24h' } as const

/**
 * Number of resources of both types together that anonymous callers of one subnet may create in a UTC day.
 */
export const DAILY_CAP = 5

/**
 * Returns the limits of a tier. Under the observed contract, a paid resource has the limits of an anonymous
 * one.
 */
export function tierLimits(tier: Tier, contract: Contract): TierLimits {
  return LIMITS[contract.raisesPaidLimits ? tier : 'anonymous']
}

/**
 * Returns the limits that the database itself enforces. Under the observed contract it enforces no storage
 * limit, because the reaper checks the size.
 */
export function databaseLimits(tier: Tier, contract: Contract): DatabaseLimits {
  const { connections } = tierLimits(tier, contract)
  return { storageBytes: contract.locksOverQuota ? null : storageBytesOf(tier, contract), connections }
}

/** Returns the storage limit of a database of a tier, in bytes. */
export function storageBytesOf(tier: Tier, contract: Contract): number {
  return tierLimits(tier, contract).storageMb * 1024 * 1024
}
