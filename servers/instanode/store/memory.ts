import { OneAtATime } from '../../../shared/util/locks.js'
import { type Account, type Delivery, nextVisit, type Resource, type ResourceType } from '../domain/model.js'
import type { InstanodeStore, InstanodeTables } from './store.js'

/** Bytes of all deliveries together. Past it receivers take what is sent and do not keep it. */
const MAX_DELIVERY_BYTES = 256 * 1024 * 1024

interface Row {
  resource: Resource
  /** Tells which of two resources of one instant was made later. */
  readonly position: number
}

/** The store of one process: gone with it. */
export class MemoryStore implements InstanodeStore {
  readonly #accounts = new Map<string, Account>()
  readonly #accountsByToken = new Map<string, Account>()
  readonly #accountsByUser = new Map<string, Account>()
  /** Provisions by day, then by subnet. */
  readonly #provisions = new Map<string, Map<string, number>>()
  /** By token, in the order of their creation. */
  readonly #rows = new Map<string, Row>()
  /** When the reaper is to visit each resource, if it is. */
  readonly #visits = new Map<string, number>()
  readonly #owned = new Map<string, Set<string>>()
  readonly #logs = new Map<string, Set<Delivery>>()
  #deliveryBytes = 0
  readonly #changes = new OneAtATime()
  #epoch = 0

  async saveAccount(account: Account): Promise<void> {
    this.#keepAccount(account)
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

  async epoch(): Promise<number> {
    return this.#epoch
  }

  async insert(resource: Resource, epoch: number): Promise<boolean> {
    if (epoch !== this.#epoch) return false
    this.#keep(resource)
    return true
  }

  async find(token: string): Promise<Resource | undefined> {
    return this.#rows.get(token)?.resource
  }

  alter(
    token: string,
    change: (resource: Resource | undefined) => Promise<Resource | undefined>,
  ): Promise<Resource | undefined> {
    return this.#changes.run(token, async () => {
      const row = this.#rows.get(token)
      const changed = await change(row?.resource)
      if (row === undefined || changed === undefined) return undefined
      const { owner } = row.resource
      if (owner !== null && owner !== changed.owner) this.#owned.get(owner)?.delete(token)
      row.resource = changed
      this.#index(changed)
      return changed
    })
  }

  async resources(): Promise<Resource[]> {
    return [...this.#rows.values()].map(({ resource }) => resource)
  }

  async ownedBy(accountId: string): Promise<Resource[]> {
    return [...(this.#owned.get(accountId) ?? [])]
      .flatMap(token => this.#rows.get(token) ?? [])
      .sort((a, b) => b.resource.createdAt - a.resource.createdAt || b.position - a.position)
      .map(({ resource }) => resource)
  }

  async madeFrom(subnet: string, type: ResourceType): Promise<Resource[]> {
    return [...this.#rows.values()]
      .map(({ resource }) => resource)
      .filter(resource => resource.subnet === subnet && resource.type === type)
      .reverse()
  }

  async due(instant: number): Promise<string[]> {
    return [...this.#visits].filter(([, visit]) => visit <= instant).map(([token]) => token)
  }

  async nextDue(): Promise<number | undefined> {
    let next: number | undefined
    for (const visit of this.#visits.values()) if (next === undefined || visit < next) next = visit
    return next
  }

  async pushDelivery(token: string, delivery: Delivery, keep: number): Promise<boolean> {
    if (this.#rows.get(token)?.resource.status !== 'active') return false
    if (this.#deliveryBytes + delivery.body.length > MAX_DELIVERY_BYTES) {
      throw new Error(`all receivers keep ${MAX_DELIVERY_BYTES} bytes already: delete some, or reset`)
    }
    const log = this.#log(token)
    log.add(delivery)
    this.#deliveryBytes += delivery.body.length
    for (const oldest of log) {
      if (log.size <= keep) break
      log.delete(oldest)
      this.#deliveryBytes -= oldest.body.length
    }
    return true
  }

  async deliveries(token: string): Promise<Delivery[]> {
    return [...(this.#logs.get(token) ?? [])].reverse()
  }

  async delivery(token: string, id: string): Promise<Delivery | undefined> {
    for (const delivery of this.#logs.get(token) ?? []) if (delivery.id === id) return delivery
    return undefined
  }

  async forgetDeliveries(token: string): Promise<void> {
    for (const { body } of this.#logs.get(token) ?? []) this.#deliveryBytes -= body.length
    this.#logs.delete(token)
  }

  async dump(): Promise<InstanodeTables> {
    return {
      accounts: [...this.#accounts.values()],
      provisions: [...this.#provisions].flatMap(([day, counts]) =>
        [...counts].map(([subnet, count]) => ({ day, subnet, count })),
      ),
      resources: [...this.#rows.values()].map(({ resource }) => resource),
      deliveries: [...this.#logs].flatMap(([token, log]) => [...log].map(delivery => ({ token, delivery }))),
    }
  }

  async load({ accounts, provisions, resources, deliveries }: InstanodeTables): Promise<void> {
    this.#clear()
    this.#epoch++
    for (const account of accounts) this.#keepAccount(account)
    for (const { day, subnet, count } of provisions) {
      this.#provisions.set(day, (this.#provisions.get(day) ?? new Map()).set(subnet, count))
    }
    for (const resource of resources) this.#keep(resource)
    for (const { token, delivery } of deliveries) {
      this.#log(token).add(delivery)
      this.#deliveryBytes += delivery.body.length
    }
  }

  #log(token: string): Set<Delivery> {
    const log = this.#logs.get(token) ?? new Set()
    this.#logs.set(token, log)
    return log
  }

  async close(): Promise<void> {
    this.#clear()
  }

  #clear(): void {
    const accounts = [this.#accounts, this.#accountsByToken, this.#accountsByUser]
    const rest = [this.#provisions, this.#rows, this.#visits, this.#owned, this.#logs]
    for (const table of [...accounts, ...rest]) table.clear()
    this.#deliveryBytes = 0
  }

  #keepAccount(account: Account): void {
    this.#accounts.set(account.id, account)
    this.#accountsByUser.set(account.userId, account)
    if (account.fixedToken !== null) this.#accountsByToken.set(account.fixedToken, account)
  }

  #keep(resource: Resource): void {
    this.#rows.set(resource.token, { resource, position: this.#rows.size })
    this.#index(resource)
  }

  #index(resource: Resource): void {
    const { token, owner } = resource
    const visit = nextVisit(resource)
    if (visit === null) this.#visits.delete(token)
    else this.#visits.set(token, visit)
    if (owner === null) return
    const owned = this.#owned.get(owner)
    if (owned === undefined) this.#owned.set(owner, new Set([token]))
    else owned.add(token)
  }
}
