import type { Clock } from '../../../shared/clock/clock.js'
import type { Log } from '../../../shared/util/log.js'
import type { Contract } from '../contract.js'
import type { DatabaseProvider } from '../databases/provider.js'
import { databaseLimits } from '../limits.js'
import { databaseName, type Resource, type Tier } from './model.js'
import type { Reaper } from './reaper.js'
import { internalError } from './refusals.js'

/** What is left of what was permanent once it is paid for no longer: 168 hours, as the service gives it. */
export const GRACE_MS = 168 * 60 * 60_000

export interface PermanenceOptions {
  databases: DatabaseProvider
  reaper: Reaper
  clock: Clock
  contract: Contract
  log: Log
}

/** What a paid plan does to resources, and its end. */
export class Permanence {
  readonly #options: PermanenceOptions

  constructor(options: PermanenceOptions) {
    this.#options = options
  }

  /**
   * Raises a database's limits to those of the paid tier, if the contract raises them. It may take a while:
   * nothing is to be locked meanwhile.
   *
   * @throws ServiceRefusal 500 if they could not be raised
   */
  async raise(resource: Resource): Promise<void> {
    try {
      await this.#limit(resource, 'paid')
    } catch (error) {
      this.#options.log.error('the limits of a database could not be raised', error)
      throw internalError('its limits could not be raised, so nothing is changed: try again', 500)
    }
  }

  /** The resource as a paid account has it: of the paid tier, and for good. To be written once its limits are raised. */
  granted(resource: Resource): Resource {
    return { ...resource, tier: 'paid', expiresAt: null, reapAt: null }
  }

  /** Takes back what {@link raise} did to a database's limits. */
  async revoke(resource: Resource): Promise<void> {
    await this.#limit({ ...resource, tier: 'paid' }, resource.tier)
  }

  /**
   * The resource once it is paid for no longer: it stays what it is for another 168 hours. One that ends
   * anyway does so as before.
   */
  ending(resource: Resource): Resource {
    if (resource.expiresAt !== null) return resource
    const { clock, reaper } = this.#options
    const expiresAt = clock.now() + GRACE_MS
    return { ...resource, expiresAt, reapAt: reaper.dueAt(expiresAt) }
  }

  async #limit({ type, tier, token }: Resource, to: Tier): Promise<void> {
    const { databases, contract } = this.#options
    if (type !== 'postgres' || tier === to || !contract.raisesPaidLimits) return
    await databases.setLimits(databaseName(token), databaseLimits(to, contract))
  }
}
