import type { IdSource } from '../../../shared/ids.js'
import type { DatabaseSpec } from '../databases/provider.js'

export type ResourceType = 'postgres' | 'webhook'

/** The tier of a resource. The resources of a free account have the tier `anonymous` and an owner. */
export type Tier = 'anonymous' | 'paid'

/**
 * The status of a resource: `expired` after its lifetime, `deleted` after its owner has deleted it, `reaped`
 * after the reaper has removed a deleted resource. `quota_exceeded`: the database is too large, and its owner
 * is locked out for good.
 */
export type Status = 'active' | 'expired' | 'deleted' | 'reaped' | 'quota_exceeded'

/**
 * The record of a database or a receiver. The record stays in the store after the database or the receiver is
 * removed.
 */
export interface Resource {
  /** UUID */
  readonly id: string
  /** UUID in lower case. It is a secret, because anyone who has it can claim the resource. */
  readonly token: string
  readonly type: ResourceType
  readonly name: string
  readonly tier: Tier
  readonly status: Status
  /** Account id of the owner. Null while no account owns the resource. */
  readonly owner: string | null
  /** The network of the caller that created the resource. See `subnetOf`. */
  readonly subnet: string
  /** The connection URL of a database, or the receive URL of a receiver. */
  readonly url: string
  /** Milliseconds since the epoch. The other instants have the same unit. */
  readonly createdAt: number
  /** The expiry in the answers to users. Null: never. */
  readonly expiresAt: number | null
  /** Instant at which the reaper removes the resource. Null: never. */
  readonly reapAt: number | null
  /** Instant at which the reaper next checks the size of the database. Null: never. */
  readonly measureAt: number | null
}

/**
 * Returns the instant of the reaper's next visit to a resource: the removal or the size check, the earlier
 * one. Null: never.
 */
export function nextVisit({ reapAt, measureAt }: Resource): number | null {
  if (reapAt === null || measureAt === null) return reapAt ?? measureAt
  return Math.min(reapAt, measureAt)
}

/**
 * Returns whether a resource is usable at `now`. An expired resource is not, even if the reaper has not
 * visited it yet.
 *
 * @param now milliseconds since the epoch
 */
export function isLive(resource: Resource, now: number): boolean {
  return resource.status === 'active' && (resource.reapAt === null || now < resource.reapAt)
}

export type Plan = 'free' | 'paid'

/** An account of the service. Accounts come from the world. */
export interface Account {
  /** Name of the account in this project, such as `acct_paid`. */
  readonly id: string
  /** UUID of the account in the service's account tokens. */
  readonly userId: string
  readonly plan: Plan
  /** A bearer token that never expires, for tests. Null if the account has none. */
  readonly fixedToken: string | null
}

/** One request that a receiver has stored without changes. */
export interface Delivery {
  /** UUID */
  readonly id: string
  readonly method: string
  readonly path: string
  /** The query string without its question mark. Empty if the URL had none. */
  readonly query: string
  /** Names and values in turn, in the order of the request. */
  readonly rawHeaders: readonly string[]
  readonly body: Buffer
  /** Milliseconds since the epoch. */
  readonly receivedAt: number
}

/** Returns the name of a resource's database: `db_` and the first 12 hexadecimal digits of the token. */
export function databaseName(token: string): string {
  return `db_${tokenPrefix(token)}`
}

/**
 * Returns the name, the user and the password of a new database. The password has 96 random bits. It is
 * stored only as a part of the resource's URL.
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

/** The web site of the real service. The stand-in has no pages, so its answers link to this site. */
const SITE = 'https://instanode.dev'

/**
 * Returns the URL of the page on which an anonymous caller creates an account and keeps the resource with
 * this token.
 */
export function startUrl(token?: string): string {
  return token === undefined ? `${SITE}/start` : `${SITE}/start?token=${token}`
}

/** Returns the URL of the page on which a free account is upgraded to keep the resource with this token. */
export function pricingUrl(token?: string): string {
  return token === undefined ? `${SITE}/pricing.html` : `${SITE}/pricing.html?token=${token}`
}

/** Returns the URL of the page on which a paid account manages its resources. */
export function dashboardUrl(): string {
  return `${SITE}/dashboard.html`
}

/** Returns the URL of a page of the site. @param path begins with a slash */
export function siteUrl(path: string): string {
  return `${SITE}${path}`
}
