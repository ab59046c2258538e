import type { IdSource } from '../../../shared/ids.js'
import type { DatabaseSpec } from '../databases/provider.js'

export type ResourceType = 'postgres' | 'webhook'

/** A free account has no tier of its own. Its resources are anonymous ones with an owner. */
export type Tier = 'anonymous' | 'paid'

/**
 * `expired`: the lifetime is over. `deleted`: the owner has deleted it. `reaped`: nothing is left of it.
 * `quota_exceeded`: the owner is locked out for good.
 */
export type Status = 'active' | 'expired' | 'deleted' | 'reaped' | 'quota_exceeded'

/** A database or a receiver in the service's records. The record stays after the thing itself is removed. */
export interface Resource {
  /** UUID */
  readonly id: string
  /** UUID in lower case. A secret: its holder may claim the resource. */
  readonly token: string
  readonly type: ResourceType
  readonly name: string
  readonly tier: Tier
  readonly status: Status
  /** Account id. Null until it is claimed. */
  readonly owner: string | null
  /** The network that created it. See `subnetOf`. */
  readonly subnet: string
  /** The URL to connect or deliver to. */
  readonly url: string
  /** Milliseconds since the epoch, as are the other instants. */
  readonly createdAt: number
  /** The expiry that the user sees. Null: never. */
  readonly expiresAt: number | null
  /** Instant at which the reaper removes it. Null: never. */
  readonly reapAt: number | null
  /** Instant at which the reaper next checks its size. Null: never. */
  readonly measureAt: number | null
}

/** Returns the instant of the reaper's next visit. Null: never. */
export function nextVisit({ reapAt, measureAt }: Resource): number | null {
  if (reapAt === null || measureAt === null) return reapAt ?? measureAt
  return Math.min(reapAt, measureAt)
}

/**
 * Returns whether a resource is usable at `now`: not deleted and not expired, even if the reaper has not
 * visited it yet.
 */
export function isLive(resource: Resource, now: number): boolean {
  return resource.status === 'active' && (resource.reapAt === null || now < resource.reapAt)
}

export type Plan = 'free' | 'paid'

/** Id in this project, such as `acct_paid`. */
export interface Account {
  /** How this project calls it, e.g. `acct_paid`. */
  readonly id: string
  /** UUID: the id in the service's tokens. */
  readonly userId: string
  readonly plan: Plan
  /** A bearer that is always valid, for tests. Null if the account has none. */
  readonly fixedToken: string | null
}

/** A request that a receiver has stored, as it arrived. */
export interface Delivery {
  /** UUID */
  readonly id: string
  readonly method: string
  readonly path: string
  /** Without the question mark; empty if there was none. */
  readonly query: string
  /** Names and values in turn, as in the request. */
  readonly rawHeaders: readonly string[]
  readonly body: Buffer
  /** Milliseconds since the epoch. */
  readonly receivedAt: number
}

/** Returns the name of a resource's database. It has the first 12 hexadecimal digits of the token. */
export function databaseName(token: string): string {
  return `db_${tokenPrefix(token)}`
}

/**
 * Returns the name, owner and password (96 bits) of a new database. The password is stored in the URL alone.
 */
export function databaseIdentity(
  token: string,
  ids: IdSource,
): Pick<DatabaseSpec, 'name' | 'user' | 'password'> {
  return { name: databaseName(token), user: `usr_${tokenPrefix(token)}`, password: ids.hex(24) }
}

function tokenPrefix(token: string): string {
  return token.replaceAll('-', '').slice(0, 12)
}

/** The service's own site. The stand-in's answers link to it too, because it serves no pages. */
const SITE = 'https://instanode.dev'

/** Returns the page on which an anonymous caller can create an account and keep its resource. */
export function startUrl(token?: string): string {
  return token === undefined ? `${SITE}/start` : `${SITE}/start?token=${token}`
}

/** Returns the page on which an account can be upgraded to keep a resource. */
export function pricingUrl(token?: string): string {
  return token === undefined ? `${SITE}/pricing.html` : `${SITE}/pricing.html?token=${token}`
}

export function dashboardUrl(): string {
  return `${SITE}/dashboard.html`
}

/** @param path with its leading slash */
export function siteUrl(path: string): string {
  return `${SITE}${path}`
}
