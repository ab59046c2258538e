import type { Resource, Tier } from './domain/model.js'
import type { TierLimits } from './limits.js'

/** Who is calling, as far as the call itself says. */
export interface Caller {
  /** What it proves its account with; undefined for an anonymous caller. */
  readonly bearer: string | undefined
  /** Where it calls from: the daily cap counts by it. */
  readonly address: string
}

/** What a caller gets for asking for a database or a receiver. */
export interface Provisioned<Limits> {
  id: string
  token: string
  /** Null where the service does not say: when it hands out an existing resource. */
  name: string | null
  tier: Tier
  /** Where to connect or deliver to. */
  url: string
  limits: Limits
  /** How long such a resource lasts, as the service words it; null: for good. */
  expiresIn: string | null
  /** Milliseconds since the epoch; null: never, or not said. */
  expiresAt: number | null
  note: string
}

export type ProvisionedDatabase = Provisioned<Pick<TierLimits, 'storageMb' | 'connections'>>
export type ProvisionedReceiver = Provisioned<Pick<TierLimits, 'requestsStored'>>

/** What a claim tells of a resource. */
export type Claimed = Pick<Resource, 'id' | 'token' | 'type' | 'name' | 'tier' | 'status'>

/** What an account is told of a resource that it owns. */
export type Owned = Claimed & Pick<Resource, 'createdAt' | 'expiresAt'>

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

/** A call that may be given up: a service far away lets go of the request then. */
export interface Abortable {
  readonly signal: AbortSignal
}

/**
 * The Instanode service as its tools need it. They do not know whether it runs in this process or is reached over HTTP.
 *
 * Every method rejects with `ServiceRefusal` for what the service turns down.
 */
export interface InstanodeService {
  createPostgres(caller: Caller, name: string, call?: Abortable): Promise<ProvisionedDatabase>
  createWebhook(caller: Caller, name: string, call?: Abortable): Promise<ProvisionedReceiver>
  /** What the caller's account owns, the last created first: what it can use, and what it is locked out of. */
  list(caller: Caller, call?: Abortable): Promise<Owned[]>
  /** Makes the caller's account the owner; a paid account's resource is paid from then on. Idempotent. */
  claim(caller: Caller, token: string, call?: Abortable): Promise<Claimed>
  /** Ends a resource of the caller's paid account. */
  remove(caller: Caller, token: string, call?: Abortable): Promise<Removed>
  /** A new token for the caller's account. */
  mintToken(caller: Caller, call?: Abortable): Promise<AccountToken>
}
