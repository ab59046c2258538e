import { OneAtATime } from '../../../shared/one-at-a-time.js'
import type { Account } from '../domain/account.js'
import type { Delivery } from '../domain/delivery.js'
import type { Resource, ResourceType } from '../domain/resource.js'
import type { InstanodeStore } from './store.js'

/** The store of one process: gone with it. */
export class MemoryStore implements InstanodeStore {
  readonly #accounts = new Map<string, Account>()
  readonly #accountsByToken = new Map<string, Account>()
  readonly #accountsByUser = new Map<string, Account>()
  /** Provisions by day, then by subnet. */
  readonly #provisions = new Map<string, Map<string, number>>()
  readonly #resources = new Map<string, Resource>()
  /** Tells which of two resources of one instant was made later. */
  readonly #position = new Map<string, number>()
  /** When each resource that the reaper is to take is due. */
  readonly #reapAt = new Map<string, number>()
  readonly #owned = new Map<string, Set<string>>()
  /** Tokens by subnet and type. */
  readonly #made = new Map<string, string[]>()
  readonly #logs = new Map<string, Set<Delivery>>()
  readonly #changes = new OneAtATime()

  async saveAccount(account: Account): Promise<void> {
    this.#accounts.set(account.id, account)
    this.#accountsByUser.set(account.userId, account)
    if (account.fixedToken !== null) this.#accountsByToken.set(account.fixedToken, account)
  }

  async accounts(): Promise<Account[]> {
    return [...this.#accounts.values()]
  }

  async accountByToken(fixedToken: string): Promise<Account | undefined> {
    return this.#accountsByToken.get(fixedToken)
  }

  async accountByUser(userId: string): Promise<Account | undefined> {
    return this.#accountsByUser.get(userId)
  }

  async countProvision(subnet: string, day: string, cap: number): Promise<boolean> {
    let counts = this.#provisions.get(day)
    if (counts === undefined) {
      // Nobody asks for a day that is over.
      this.#provisions.clear()
      counts = new Map()
      this.#provisions.set(day, counts)
    }
    const count = counts.get(subnet) ?? 0
    if (count >= cap) return false
    counts.set(subnet, count + 1)
    return true
  }

  async insert(resource: Resource): Promise<void> {
    this.#position.set(resource.token, this.#position.size)
    this.#put(resource)
    const place = placeOf(resource.subnet, resource.type)
    const made = this.#made.get(place)
    if (made === undefined) this.#made.set(place, [resource.token])
    else made.push(resource.token)
  }

  async find(token: string): Promise<Resource | undefined> {
    return this.#resources.get(token)
  }

  alter(
    token: string,
    change: (resource: Resource | undefined) => Promise<Resource | undefined>,
  ): Promise<Resource | undefined> {
    return this.#changes.run(token, async () => {
      const changed = await change(this.#resources.get(token))
      if (changed !== undefined) this.#put(changed)
      return changed
    })
  }

  async ownedBy(accountId: string): Promise<Resource[]> {
    const owned = this.#all(this.#owned.get(accountId) ?? [])
    const position = ({ token }: Resource) => this.#position.get(token) ?? 0
    return owned.sort((a, b) => b.createdAt - a.createdAt || position(b) - position(a))
  }

  async madeFrom(subnet: string, type: ResourceType): Promise<Resource[]> {
    return this.#all(this.#made.get(placeOf(subnet, type)) ?? []).reverse()
  }

  async due(instant: number): Promise<string[]> {
    return [...this.#reapAt].filter(([, reapAt]) => reapAt <= instant).map(([token]) => token)
  }

  async nextReap(): Promise<number | undefined> {
    let next: number | undefined
    for (const reapAt of this.#reapAt.values()) if (next === undefined || reapAt < next) next = reapAt
    return next
  }

  async pushDelivery(token: string, delivery: Delivery, keep: number): Promise<void> {
    const log = this.#logs.get(token) ?? new Set()
    this.#logs.set(token, log)
    log.add(delivery)
    for (const oldest of log) {
      if (log.size <= keep) break
      log.delete(oldest)
    }
  }

  async deliveries(token: string): Promise<Delivery[]> {
    return [...(this.#logs.get(token) ?? [])].reverse()
  }

  async forgetDeliveries(token: string): Promise<void> {
    this.#logs.delete(token)
  }

  async close(): Promise<void> {
    for (const table of [this.#resources, this.#position, this.#reapAt, this.#owned, this.#made, this.#logs])
      table.clear()
  }

  #put(resource: Resource): void {
    const { token, owner, reapAt } = resource
    this.#resources.set(token, resource)
    if (reapAt === null) this.#reapAt.delete(token)
    else this.#reapAt.set(token, reapAt)
    if (owner === null) return
    const owned = this.#owned.get(owner)
    if (owned === undefined) this.#owned.set(owner, new Set([token]))
    else owned.add(token)
  }

  #all(tokens: Iterable<string>): Resource[] {
    return [...tokens].flatMap(token => this.#resources.get(token) ?? [])
  }
}

function placeOf(subnet: string, type: ResourceType): string {
  return `${type} ${subnet}`
}
