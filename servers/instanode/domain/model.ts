import type { IdSource } from '../../../shared/ids.js'
import type { DatabaseSpec } from '../databases/provider.js'

export type ResourceType = 'postgres' | 'webhook'

/** There is no free tier of resources: a free account's are anonymous ones that it owns. */
export type Tier = 'anonymous' | 'paid'

/**
 * `expired` has outlived its time; `deleted` is so by its owner, and `reaped` once nothing is left of it; the owner of
 * what is `quota_exceeded` is locked out of it, for good.
 */
export type Status = 'active' | 'expired' | 'deleted' | 'reaped' | 'quota_exceeded'

/** A database or a receiver, as the service keeps it: the row stays when the thing itself is gone. */
export interface Resource {
  /** UUID */
  readonly id: string
  /** UUID, lower case. Who has it may claim the resource: it is the only key to it. */
  readonly token: string
  readonly type: ResourceType
  readonly name: string
  readonly tier: Tier
  readonly status: Status
  /** Account id; null while nobody has claimed it. */
  readonly owner: string | null
  /** Where it was made from: see `subnetOf`. */
  readonly subnet: string
  /** What its user connects or delivers to. */
  readonly url: string
  /** Milliseconds since the epoch, as are the other instants. */
  readonly createdAt: number
  /** What its user is told; null: never. */
  readonly expiresAt: number | null
  /** When the reaper takes it; null: there is nothing to take. */
  readonly reapAt: number | null
  /** When the reaper looks at its size; null: it does not. */
  readonly measureAt: number | null
}

/** When the reaper has something to do with it; null: never. */
export function nextVisit({ reapAt, measureAt }: Resource): number | null {
  if (reapAt === null || measureAt === null) return reapAt ?? measureAt
  return Math.min(reapAt, measureAt)
}

/** Whether it is of use at `now`: not deleted, and its time not up, whether or not the reaper has come round. */
export function isLive(resource: Resource, now: number): boolean {
  return resource.status === 'active' && (resource.reapAt === null || now < resource.reapAt)
}

export type Plan = 'free' | 'paid'

/** Whoever has signed up with the service. */
export interface Account {
  /** How this project calls it, e.g. `acct_paid`. */
  readonly id: string
  /** UUID: how the service calls it, inside its tokens. */
  readonly userId: string
  readonly plan: Plan
  /** A bearer that always works, for tests to write down; null if the account has none. */
  readonly fixedToken: string | null
}

/** A request that a receiver took, as it came in. */
export interface Delivery {
  /** UUID */
  readonly id: string
  readonly method: string
  readonly path: string
  /** Without the question mark; empty if there was none. */
  readonly query: string
  /** Names and values in turn, as they stood in the request. */
  readonly rawHeaders: readonly string[]
  readonly body: Buffer
  /** Milliseconds since the epoch. */
  readonly receivedAt: number
}

/** The name of a resource's database: its token's first 12 hex digits tell which. */
export function databaseName(token: string): string {
  return `db_${mark(token)}`
}

/** A new database's name, owner and password (96 bits). The password is kept nowhere but in the URL. */
export function databaseIdentity(
  token: string,
  ids: IdSource,
): Pick<DatabaseSpec, 'name' | 'user' | 'password'> {
  return { name: databaseName(token), user: `usr_${mark(token)}`, password: ids.hex(24) }
}

function mark(token: string): string {
  return token.replaceAll('-', '').slice(0, 12)
}

/** The service's own site: its answers point there, and so do the stand-in's, which serves no pages. */
const SITE = 'https://instanode.dev'

/** Where an anonymous caller can make an account, and keep what it has by way of its token. */
export function startUrl(token?: string): string {
  return token === undefined ? `${SITE}/start` : `${SITE}/start?token=${token}`
}

/** Where an account can be upgraded, for the sake of a resource. */
export function pricingUrl(token?: string): string {
  return token === undefined ? `${SITE}/pricing.html` : `${SITE}/pricing.html?token=${token}`
}

export function dashboardUrl(): string {
  return `${SITE}/dashboard.html`
}

/** @param path with its slash */
export function siteUrl(path: string): string {
  return `${SITE}${path}`
}
