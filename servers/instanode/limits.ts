import type { Contract } from './contract.js'
import type { DatabaseLimits } from './databases/provider.js'
import type { Tier } from './domain/model.js'

/** The most bytes of body that a request may have, inclusive: a delivery past it is refused, any other counts as empty. */
export const BODY_LIMIT = 1024 * 1024

/** How many requests one address may make. */
export interface RequestLimit {
  atOnce: number
  perSecond: number
}

/** What the service's own limiter lets through for one address. */
export const REQUEST_LIMIT: RequestLimit = { atOnce: 20, perSecond: 10 }

export interface TierLimits {
  readonly storageMb: number
  readonly connections: number
  readonly requestsStored: number
}

/** As its prices are published. */
const LIMITS: Readonly<Record<Tier, TierLimits>> = {
  anonymous: { storageMb: 10, connections: 2, requestsStored: 100 },
  paid: { storageMb: 500, connections: 5, requestsStored: 1000 },
}

/** How long what is not paid for lasts; the service always states it in full, however little of it is left. */
export const LIFETIME = { ms: 24 * 60 * 60_000, text: '24h' } as const

/** Anonymous provisions per subnet and UTC day, of both types together. */
export const DAILY_CAP = 5

export function limitsOf(tier: Tier, contract: Contract): TierLimits {
  return LIMITS[contract.raisesPaidLimits ? tier : 'anonymous']
}

/** The part of them that a database keeps by itself: under the observed contract its size is the reaper's business. */
export function databaseLimits(tier: Tier, contract: Contract): DatabaseLimits {
  const { connections } = limitsOf(tier, contract)
  return { storageBytes: contract.locksOverQuota ? null : storageBytesOf(tier, contract), connections }
}

/** What a database may take, in bytes. */
export function storageBytesOf(tier: Tier, contract: Contract): number {
  return limitsOf(tier, contract).storageMb * 1024 * 1024
}
