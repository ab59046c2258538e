import type { Resource, Tier } from './domain/model.js'
import type { TierLimits } from './limits.js'

/** The identity that a request claims. It is not verified yet. */
export interface Caller {
  /** The account token in the request. Undefined: the caller is anonymous. */
  readonly bearer: string | undefined
  /** The IP address of the caller, by which the daily cap counts. */
  readonly address: string
}

/** The result of creating a database or a receiver. */
export interface Provisioned<Limits> {
  id: string
  token: string
  /** Null if the service returned an existing resource. The service leaves the name out of such an answer. */
  name: string | null
  tier: Tier
  /** The URL of the database for clients, or the URL of the receiver for deliveries. */
  url: string
  limits: Limits
  /** The whole lifetime of the resource, as the service writes it: `24h`. Null: the resource is permanent. */
  expiresIn: string | null
  /** Milliseconds since the epoch. Null: the resource never expires, or the answer has no expiry. */
  expiresAt: number | null
  note: string
}

export type ProvisionedDatabase = Provisioned<Pick<TierLimits, 'storageMb' | 'connections'>>
export type ProvisionedReceiver = Provisioned<Pick<TierLimits, 'requestsStored'>>

/** The fields of a resource in the answer to a claim. */
export type Claimed = Pick<Resource, 'id' | 'token' | 'type' | 'name' | 'tier' | 'status'>

/** The fields of a resource in the list of its account. */
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

/** A call that can be aborted. A service behind an HTTP API then ends its request. */
export interface Abortable {
  readonly signal: AbortSignal
}

/**
 * The Instanode service that the MCP tools call. It runs in this process or behind an HTTP API.
 *
 * Every method rejects with a `ServiceRefusal` if the service refuses the call.
 */
export interface InstanodeService {
  createPostgres(caller: Caller, name: string, call?: Abortable): Promise<ProvisionedDatabase>
  createWebhook(caller: Caller, name: string, call?: Abortable): Promise<ProvisionedReceiver>
  /**
   * Lists the resources of the caller's account, the newest first. The list includes databases beyond their
   * quota and leaves out expired and deleted resources.
   */
  list(caller: Caller, call?: Abortable): Promise<Owned[]>
  /**
   * Makes the caller's account the owner of a resource. A paid account also makes the resource permanent. A
   * repeated claim has no further effect.
   */
  claim(caller: Caller, token: string, call?: Abortable): Promise<Claimed>
  /** Deletes a resource of the caller's paid account. */
  remove(caller: Caller, token: string, call?: Abortable): Promise<Removed>
  /** Returns a new token for the caller's account. */
  mintToken(caller: Caller, call?: Abortable): Promise<AccountToken>
}
