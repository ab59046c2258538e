import type { Clock } from '../../../shared/clock/clock.js'
import { trimSpace } from '../../../shared/util/go-json.js'
import type { Log } from '../../../shared/util/log.js'
import type { Contract } from '../contract.js'
import type { Caller, Removed } from '../service.js'
import type { Accounts } from './accounts.js'
import { type Account, isLive, type Resource } from './model.js'
import type { Permanence } from './permanence.js'
import type { Reaper } from './reaper.js'
import {
  internalError,
  invalidToken,
  missingToken,
  noSuchResource,
  notFound,
  paidTierOnly,
  resourceExpired,
} from './refusals.js'
import type { InstanodeStore } from './store.js'

export interface OwnershipOptions {
  store: InstanodeStore
  accounts: Accounts
  permanence: Permanence
  reaper: Reaper
  clock: Clock
  contract: Contract
  log: Log
}

/** Claims, lists and deletes resources for accounts. */
export class Ownership {
  readonly #options: OwnershipOptions

  constructor(options: OwnershipOptions) {
    this.#options = options
  }

  /**
   * Lists the resources of the caller's account, the newest first. Includes locked ones.
   *
   * @throws ServiceRefusal 401
   */
  async list({ bearer }: Caller): Promise<Resource[]> {
    const { accounts, store, clock } = this.#options
    const account = await accounts.require(bearer)
    const owned = await store.ownedBy(account.id)
    return owned.filter(resource => isLive(resource, clock.now()) || resource.status === 'quota_exceeded')
  }

  /**
   * Makes the caller's account the owner. May be repeated by the same account.
   *
   * @throws ServiceRefusal in this order: 401, 400 for no UUID, 404 for unknown, 410 for dead, 404 for
   *   another's
   */
  async claim({ bearer }: Caller, text: string): Promise<Resource> {
    const account = await this.#options.accounts.require(bearer)
    const token = readToken(trimSpace(text))
    let before: Resource | undefined
    const claimed = await this.#setOwner(token, account, resource => {
      before = resource
      return resource
    })
    if (account.plan !== 'paid') return claimed
    try {
      await this.#options.permanence.raiseLimits(claimed)
    } catch (error) {
      if (before?.owner === null) await this.#removeOwner(token, account)
      throw error
    }
    return this.#setOwner(token, account, resource => this.#options.permanence.permanent(resource))
  }

  /**
   * Returns the resource that a claim would give, to any caller with the token.
   *
   * @throws ServiceRefusal in this order: 400 for none, 400 for no UUID, 404 for unknown, 410 for dead
   */
  async preview(text: string): Promise<Resource> {
    const { store, clock } = this.#options
    const trimmed = trimSpace(text)
    if (trimmed === '') throw missingToken()
    const resource = await store.find(readToken(trimmed))
    if (resource === undefined) throw noSuchResource()
    if (!isLive(resource, clock.now())) throw resourceExpired()
    return resource
  }

  /**
   * Deletes one of the caller's own resources for good.
   *
   * @throws ServiceRefusal in this order: 401, 400 for no UUID, 403 for a free account, 404 for a resource
   *   that is
   *   not its own and live
   */
  async remove({ bearer }: Caller, text: string): Promise<Removed> {
    const { accounts, store, clock, reaper, contract } = this.#options
    const account = await accounts.require(bearer)
    const token = readToken(text)
    if (account.plan !== 'paid') throw paidTierOnly(token)
    const reapAt = reaper.dueAt(clock.now())
    const deleted = await store.alter(token, resource => {
      if (resource?.owner !== account.id || !isLive(resource, clock.now())) throw notFound()
      return { ...resource, status: 'deleted', reapAt, measureAt: null }
    })
    if (deleted === undefined) throw notFound()
    if (contract.reapsAtOnce) await this.#reap(token)
    else reaper.planRound(reapAt)
    const message = contract.reapsAtOnce
      ? 'Removed: nothing of it is left.'
      : 'Queued: it will be removed within 5 minutes.'
    return { id: deleted.id, token, message }
  }

  /** Makes the account the only owner, and applies `change` to the rest of the resource. */
  async #setOwner(
    token: string,
    { id }: Account,
    change: (resource: Resource) => Resource,
  ): Promise<Resource> {
    const { store, clock } = this.#options
    const taken = await store.alter(token, resource => {
      if (resource === undefined) throw notFound()
      if (!isLive(resource, clock.now())) throw resourceExpired()
      if (resource.owner !== null && resource.owner !== id) throw notFound()
      return { ...change(resource), owner: id }
    })
    if (taken === undefined) throw notFound()
    return taken
  }

  /** Removes the owner again, unless another claim by the same account has succeeded meanwhile. */
  async #removeOwner(token: string, { id }: Account): Promise<void> {
    await this.#options.store.alter(token, resource =>
      resource?.owner === id && resource.tier !== 'paid' ? { ...resource, owner: null } : undefined,
    )
  }

  async #reap(token: string): Promise<void> {
    try {
      await this.#options.reaper.reap(token)
    } catch (error) {
      this.#options.log.error('a deleted resource could not be removed', error)
      throw internalError(
        'it is deleted, but what it held could not be removed yet: that is tried again by itself',
      )
    }
  }
}

/** The spellings that the service accepts: with or without dashes, in braces, as a URN, in either case. */
const SPELLINGS = [
  /^(?:urn:uuid:)?([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})$/i,
  /^\{([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})\}$/i,
  /^([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$/i,
]

/**
 * Returns a resource token in its canonical spelling, a lower-case UUID.
 *
 * @throws ServiceRefusal 400 `invalid_token`
 */
export function readToken(text: string): string {
  for (const spelling of SPELLINGS) {
    const match = spelling.exec(text)
    if (match !== null) return match.slice(1).join('-').toLowerCase()
  }
  throw invalidToken(text)
}
