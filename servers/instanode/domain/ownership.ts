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

/** Claims, lists and deletes the resources of accounts. */
export class Ownership {
  readonly #options: OwnershipOptions

  constructor(options: OwnershipOptions) {
    this.#options = options
  }

  /**
   * Lists the resources of the caller's account, the newest first. The list includes databases beyond their
   * quota.
   *
   * @throws ServiceRefusal 401 if the account token is missing or not valid
   */
  async list({ bearer }: Caller): Promise<Resource[]> {
    const { accounts, store, clock } = this.#options
    const account = await accounts.require(bearer)
    const owned = await store.ownedBy(account.id)
    return owned.filter(resource => isLive(resource, clock.now()) || resource.status === 'quota_exceeded')
  }

  /**
   * Makes the caller's account the owner of a resource. A paid account also
   * makes the resource permanent. The same account may repeat the claim.
   *
   * @throws ServiceRefusal by these checks, in this order:
   * - 401 if the account token is missing or not valid
   * - 400 if `text` is not a UUID
   * - 404 if no resource has this token
   * - 410 if the resource has expired or was deleted
   * - 404 if another account owns the resource
   * - 500 if the limits of the database cannot be raised. The claim is undone then.
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
   * Returns the resource that a claim with this token would take. It needs no account.
   *
   * @throws ServiceRefusal by these checks, in this order:
   * - 400 `missing_token` if `text` is empty
   * - 400 `invalid_token` if `text` is not a UUID
   * - 404 if no resource has this token
   * - 410 if the resource has expired or was deleted
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
   * Deletes a resource of the caller's account for good.
   *
   * @throws ServiceRefusal by these checks, in this order:
   * - 401 if the account token is missing or not valid
   * - 400 if `text` is not a UUID
   * - 403 if the plan of the account is free
   * - 404 if the account does not own the resource, or the resource has expired or was deleted
   * - 503 if the content cannot be removed now. The reaper tries again.
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
      ? 'Removed, with all of its data.'
      : 'Queued: the resource will be removed within 5 minutes.'
    return { id: deleted.id, token, message }
  }

  /**
   * Makes the account the owner of a resource, in one transaction with `change`.
   *
   * @returns the changed resource
   */
  async #setOwner(
    token: string,
    { id }: Account,
    change: (resource: Resource) => Resource,
  ): Promise<Resource> {
    const { store, clock } = this.#options
    const changed = await store.alter(token, resource => {
      if (resource === undefined) throw notFound()
      if (!isLive(resource, clock.now())) throw resourceExpired()
      if (resource.owner !== null && resource.owner !== id) throw notFound()
      return { ...change(resource), owner: id }
    })
    if (changed === undefined) throw notFound()
    return changed
  }

  /** Undoes a claim. Does nothing if another claim by the same account has succeeded meanwhile. */
  async #removeOwner(token: string, { id }: Account): Promise<void> {
    await this.#options.store.alter(token, resource =>
      resource?.owner === id && resource.tier !== 'paid' ? { ...resource, owner: null } : undefined,
    )
  }

  async #reap(token: string): Promise<void> {
    try {
      await this.#options.reaper.reap(token)
    } catch (error) {
      this.#options.log.error(
        'the content of a deleted resource could not be removed; the reaper tries again',
        error,
      )
      throw internalError(
        'the resource is deleted, but its data could not be removed yet: the service tries ' +
          'again, so there is nothing to do',
      )
    }
  }
}

/**
 * The spellings of a UUID that the real service accepts: with dashes (also as a URN), in braces, or without
 * dashes. Upper and lower case are equal.
 */
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
