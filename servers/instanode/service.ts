import type { TierLimits } from './domain/limits.js'
import type { Resource, Tier } from './domain/resource.js'

/** Who is calling, as far as the call itself says. */
export interface Caller {
  /** What it proves its account with; undefined for an anonymous caller. */
  readonly bearer: string | undefined
  /** Where it calls from: the daily cap counts by it. */
  readonly address: string
}

/** What a caller gets for asking for a database or a receiver. */
export interface Provisioned {
  id: string
  token: string
  /** Null where the service does not say: when it hands out an existing resource. */
  name: string | null
  tier: Tier
  /** Where to connect or deliver to. */
  url: string
  limits: TierLimits
  /** How long such a resource lasts, as the service words it; null: for good. */
  expiresIn: string | null
  /** Milliseconds since the epoch; null: never, or not said. */
  expiresAt: number | null
  note: string
}

/** The outcome of a deletion. */
export interface Removed {
  id: string
  token: string
  message: string
}

export interface AccountToken {
  token: string
  expiresInSeconds: number
}

/**
 * The Instanode service as its tools need it. They do not know whether it runs in this process or is reached over HTTP.
 *
 * Every method rejects with `ServiceRefusal` for what the service turns down.
 */
export interface InstanodeService {
  createPostgres(caller: Caller, name: string): Promise<Provisioned>
  createWebhook(caller: Caller, name: string): Promise<Provisioned>
  /** What the caller's account owns, the last created first: what it can use, and what it is locked out of. */
  list(caller: Caller): Promise<Resource[]>
  /** Makes the caller's account the owner; a paid account's resource is paid from then on. Idempotent. */
  claim(caller: Caller, token: string): Promise<Resource>
  /** Ends a resource of the caller's paid account. */
  remove(caller: Caller, token: string): Promise<Removed>
  /** A new token for the caller's account. */
  mintToken(caller: Caller): Promise<AccountToken>
}
