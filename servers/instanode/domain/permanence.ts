import type { Clock } from '../../../shared/clock/clock.js'
import type { Log } from '../../../shared/util/log.js'
import type { Contract } from '../contract.js'
import type { DatabaseProvider } from '../databases/provider.js'
import { databaseLimits } from '../limits.js'
import { databaseName, type Resource, type Tier } from './model.js'
import type { Reaper } from './reaper.js'
import { internalError } from './refusals.js'

/**
 * Milliseconds for which a permanent resource lives on after the paid plan has ended: 168 hours, as in the
 * real service.
 */
export const GRACE_MS = 168 * 60 * 60_000

export interface PermanenceOptions {
  databases: DatabaseProvider
  reaper: Reaper
  clock: Clock
  contract: Contract
  log: Log
}

/** Makes resources permanent when their account is paid, and gives them an expiry when the paid plan ends. */
export class Permanence {
  readonly #options: PermanenceOptions

  constructor(options: PermanenceOptions) {
    this.#options = options
  }

  /**
   * Raises the limits of a database to those of the paid tier, if the contract does so. The call is slow, so
   * the caller must not be in a transaction of the store.
   *
   * @throws ServiceRefusal 500 if the limits cannot be raised
   */
  async raiseLimits(resource: Resource): Promise<void> {
    try {
      await this.#setLimits(resource, 'paid')
    } catch (error) {
      this.#options.log.error(
        `the limits of the database ${databaseName(resource.token)} could not be raised`,
        error,
      )
      throw internalError(
        'the limits of the database could not be raised, and nothing has changed: try again',
        500,
      )
    }
  }

  /** Returns a permanent resource in the paid tier. The caller stores it after {@link raiseLimits}. */
  permanent(resource: Resource): Resource {
    return { ...resource, tier: 'paid', expiresAt: null, reapAt: null }
  }

  /**
   * Lowers the limits of a database to those of its tier. Undoes {@link raiseLimits}.
   *
   * @param resource as it was before
   */
  async restoreLimits(resource: Resource): Promise<void> {
    await this.#setLimits({ ...resource, tier: 'paid' }, resource.tier)
  }

  /**
   * Returns a resource after the end of the paid plan. A permanent resource keeps its tier and expires after
   * 168 hours. Any other resource is unchanged.
   */
  withGrace(resource: Resource): Resource {
    if (resource.expiresAt !== null) return resource
    const { clock, reaper } = this.#options
    const expiresAt = clock.now() + GRACE_MS
    return { ...resource, expiresAt, reapAt: reaper.dueAt(expiresAt) }
  }

  async #setLimits({ type, tier, token }: Resource, to: Tier): Promise<void> {
    const { databases, contract } = this.#options
    if (type !== 'postgres' || tier === to || !contract.raisesPaidLimits) return
    await databases.setLimits(databaseName(token), databaseLimits(to, contract))
  }
}
