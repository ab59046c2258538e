import type { Resource, Tier } from './domain/model.js'
import type { TierLimits } from './limits.js'

/** The identity in a call, before it is verified. */
export interface Caller {
  /** The credential of an account. Undefined for an anonymous caller. */
  readonly bearer: string | undefined
  /** The caller's address, for the daily cap. */
  readonly address: string
}

/** The result of creating a database or a receiver. */
export interface Provisioned<Limits> {
  id: string
  token: string
  /** Null if the service returns an existing resource, because it does not give the name then. */
  name: string | null
  tier: Tier
  /** The URL to connect or deliver to. */
  url: string
  limits: Limits
  /** Lifetime of such a resource, in the words of the service. Null: permanent. */
  expiresIn: string | null
  /** Milliseconds since the epoch. Null: never, or not given. */
  expiresAt: number | null
  note: string
}

export type ProvisionedDatabase = Provisioned<Pick<TierLimits, 'storageMb' | 'connections'>>
export type ProvisionedReceiver = Provisioned<Pick<TierLimits, 'requestsStored'>>

/** The fields of a claimed resource. */
export type Claimed = Pick<Resource, 'id' | 'token' | 'type' | 'name' | 'tier' | 'status'>

/** The fields of an owned resource. */
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

/** A call that may be aborted. A remote service then ends the request. */
export interface Abortable {
  readonly signal: AbortSignal
}

/**
 * The Instanode service as its tools use it, in this process or over HTTP.
 *
 * Every method rejects with `ServiceRefusal` if the service refuses.
 */
export interface InstanodeService {
  createPostgres(caller: Caller, name: string, call?: Abortable): Promise<ProvisionedDatabase>
  createWebhook(caller: Caller, name: string, call?: Abortable): Promise<ProvisionedReceiver>
  /**
   * Lists the resources of the caller's account, the newest first. Includes locked ones, and leaves out
   * removed ones.
   */
  list(caller: Caller, call?: Abortable): Promise<Owned[]>
  /** Makes the caller's account the owner. A paid account's resource is paid from then on. Idempotent. */
  claim(caller: Caller, token: string, call?: Abortable): Promise<Claimed>
  /** Deletes a resource of the caller's paid account. */
  remove(caller: Caller, token: string, call?: Abortable): Promise<Removed>
  /** Returns a new token for the caller's account. */
  mintToken(caller: Caller, call?: Abortable): Promise<AccountToken>
}
