import type { Clock } from '../../../shared/clock/clock.js'
import type { Log } from '../../../shared/util/log.js'
import type { Contract } from '../contract.js'
import type { DatabaseProvider } from '../databases/provider.js'
import { databaseLimits } from '../limits.js'
import { databaseName, type Resource, type Tier } from './model.js'
import type { Reaper } from './reaper.js'
import { internalError } from './refusals.js'

/** Milliseconds that a permanent resource has left when its plan ends: 168 hours, as in the service. */
export const GRACE_MS = 168 * 60 * 60_000

export interface PermanenceOptions {
  databases: DatabaseProvider
  reaper: Reaper
  clock: Clock
  contract: Contract
  log: Log
}

/** Makes resources permanent for a paid plan, and ends that. */
export class Permanence {
  readonly #options: PermanenceOptions

  constructor(options: PermanenceOptions) {
    this.#options = options
  }

  /**
   * Raises a database's limits to those of the paid tier, if the contract does so. This may take a while, so
   * the caller must hold no lock.
   *
   * @throws ServiceRefusal 500 if the limits could not be raised
   */
  async raiseLimits(resource: Resource): Promise<void> {
    try {
      await this.#setLimits(resource, 'paid')
    } catch (error) {
      this.#options.log.error('the limits of a database could not be raised', error)
      throw internalError('its limits could not be raised, so nothing is changed: try again', 500)
    }
  }

  /** Returns the resource in the paid tier and permanent. Write it after its limits are raised. */
  permanent(resource: Resource): Resource {
    return { ...resource, tier: 'paid', expiresAt: null, reapAt: null }
  }

  /** Undoes {@link raiseLimits}. */
  async restoreLimits(resource: Resource): Promise<void> {
    await this.#setLimits({ ...resource, tier: 'paid' }, resource.tier)
  }

  /**
   * Returns the resource after the end of the paid plan. It keeps its tier for another 168 hours. A resource
   * with an expiry keeps it.
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
