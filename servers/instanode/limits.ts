import type { Contract } from './contract.js'
import type { DatabaseLimits } from './databases/provider.js'
import type { Tier } from './domain/model.js'

/**
 * Largest body of a request in bytes. A larger delivery is refused, and any other larger body counts as
 * empty.
 */
export const BODY_LIMIT = 1024 * 1024

/** The request limit of one address. */
export interface RequestLimit {
  atOnce: number
  perSecond: number
}

/** The limit of the real service for one address. */
export const REQUEST_LIMIT: RequestLimit = { atOnce: 20, perSecond: 10 }

export interface TierLimits {
  readonly storageMb: number
  readonly connections: number
  readonly requestsStored: number
}

/** The published limits. */
const LIMITS: Readonly<Record<Tier, TierLimits>> = {
  anonymous: { storageMb: 10, connections: 2, requestsStored: 100 },
  paid: { storageMb: 500, connections: 5, requestsStored: 1000 },
}

/**
 * Lifetime of an unpaid resource. The service always states the whole lifetime, not the time that is left.
 */
export const LIFETIME = { ms: 24 * 60 * 60_000, text: '24h' } as const

/** Anonymous provisions of both types together, per subnet and UTC day. */
export const DAILY_CAP = 5

export function tierLimits(tier: Tier, contract: Contract): TierLimits {
  return LIMITS[contract.raisesPaidLimits ? tier : 'anonymous']
}

/** Returns the limits that the database enforces. Under the observed contract the reaper checks its size. */
export function databaseLimits(tier: Tier, contract: Contract): DatabaseLimits {
  const { connections } = tierLimits(tier, contract)
  return { storageBytes: contract.locksOverQuota ? null : storageBytesOf(tier, contract), connections }
}

/** Returns the storage limit of a database, in bytes. */
export function storageBytesOf(tier: Tier, contract: Contract): number {
  return tierLimits(tier, contract).storageMb * 1024 * 1024
}
