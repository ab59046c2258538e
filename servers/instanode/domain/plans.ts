import type { Clock } from '../../../shared/clock/clock.js'
import { Refusal } from '../../../shared/errors.js'
import type { Gate } from '../../../shared/util/locks.js'
import type { Log } from '../../../shared/util/log.js'
import type { InstanodeStore } from '../store/store.js'
import type { Accounts } from './accounts.js'
import { type Account, isLive, nextVisit, type Plan, type Resource } from './model.js'
import type { Permanence } from './permanence.js'
import type { Reaper } from './reaper.js'

export interface PlansOptions {
  store: InstanodeStore
  accounts: Accounts
  permanence: Permanence
  reaper: Reaper
  clock: Clock
  log: Log
  gate: Gate
}

/** What becomes of an account, and of what it owns, when it begins to pay or ceases to. */
export class Plans {
  readonly #options: PlansOptions

  constructor(options: PlansOptions) {
    this.#options = options
  }

  /**
   * Puts an account on a plan. Paid: all that it owns and can use becomes permanent. Free: what was permanent has
   * another 168 hours.
   *
   * @returns the account as it is now
   * @throws Refusal `unknown_account`
   * @throws ServiceRefusal 500 if a database could not follow; the account and all it owns are as before then
   */
  change(accountId: string, plan: Plan): Promise<Account> {
    return this.#options.gate.pass(() => this.#change(accountId, plan))
  }

  async #change(accountId: string, plan: Plan): Promise<Account> {
    const before = await this.#account(accountId)
    const account: Account = { ...before, plan }
    // First, so that what it makes meanwhile is made under the new plan.
    await this.#options.accounts.save(account)
    const changed: Resource[] = []
    try {
      for (const { token } of await this.#options.store.ownedBy(accountId))
        await this.#follow(token, plan, changed)
    } catch (error) {
      await this.#options.accounts.save(before)
      for (const resource of changed) await this.#putBack(resource)
      throw error
    }
    return account
  }

  async #account(id: string): Promise<Account> {
    const accounts = await this.#options.store.accounts()
    const account = accounts.find(known => known.id === id)
    if (account !== undefined) return account
    throw new Refusal(
      'unknown_account',
      `there is no account ${JSON.stringify(id)}`,
      `there are ${accounts.map(known => known.id).join(', ')}`,
    )
  }

  /** @param changed is given the resource as it was */
  async #follow(token: string, plan: Plan, changed: Resource[]): Promise<void> {
    const { store, clock, permanence, reaper } = this.#options
    const there = await store.find(token)
    if (there === undefined || !isLive(there, clock.now())) return
    // What cannot be undone by being forgotten comes first, and waits for nobody.
    if (plan === 'paid') await permanence.raise(there)
    let before: Resource | undefined
    const written = await store.alter(token, async resource => {
      before = resource
      if (resource === undefined || !isLive(resource, clock.now())) return undefined
      return plan === 'paid' ? permanence.granted(resource) : permanence.ending(resource)
    })
    if (written === undefined || before === undefined) return
    changed.push(before)
    reaper.watch(nextVisit(written))
  }

  async #putBack(before: Resource): Promise<void> {
    const { store, clock, permanence, reaper, log } = this.#options
    const { tier, expiresAt, reapAt } = before
    await store.alter(
      before.token,
      // What its owner has ended meanwhile stays so.
      async resource =>
        resource && isLive(resource, clock.now()) ? { ...resource, tier, expiresAt, reapAt } : undefined,
    )
    reaper.watch(nextVisit(before))
    await permanence
      .revoke(before)
      .catch(error => log.error('the limits of a database could not be put back', error))
  }
}
