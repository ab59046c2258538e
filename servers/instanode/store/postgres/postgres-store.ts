import type { StoreDatabase } from '../../../../shared/records/store-database.js'
import { StoreUnavailable } from '../../../../shared/records/store-error.js'
import type { Transaction } from '../../../../shared/records/transaction.js'
import type { Account } from '../../domain/account.js'
import type { Delivery } from '../../domain/delivery.js'
import { nextVisit, type Resource, type ResourceType } from '../../domain/model.js'
import type { InstanodeStore, InstanodeTables } from '../store.js'
import {
  ACCOUNT_BY_TOKEN,
  ACCOUNT_BY_USER,
  ACCOUNTS,
  type AccountRow,
  accountOf,
  accountValues,
  SAVE_ACCOUNT,
} from './accounts.js'
import {
  ADD_DELIVERY,
  DELIVERIES_OF,
  type DeliveryRow,
  deliveryOf,
  deliveryValues,
  FIND_DELIVERY,
  FORGET_DELIVERIES,
  LOCK_RECEIVER,
  TRIM_DELIVERIES,
} from './deliveries.js'
import { EPOCH, HOLD_EPOCH } from './epoch.js'
import { type News, TOPIC, written } from './news.js'
import { COUNT_PROVISION, dayBefore, FORGET_PROVISIONS, markOf } from './provisions.js'
import {
  DUE,
  FIND_RESOURCE,
  INSERT_RESOURCE,
  LOCK_RESOURCE,
  MADE_FROM,
  NEXT_DUE,
  OWNED_BY,
  RESOURCES,
  type ResourceRow,
  resourceOf,
  resourceValues,
  UPDATE_RESOURCE,
} from './resources.js'
import { dumpAll, loadAll } from './whole.js'

/** The store of several replicas. Every method rejects with `StoreUnavailable` while it is away. */
export class PostgresStore implements InstanodeStore {
  readonly #store: StoreDatabase

  /** @param store is its opener's to close */
  constructor(store: StoreDatabase) {
    this.#store = store
  }

  async saveAccount(account: Account): Promise<void> {
    await this.#store.write(SAVE_ACCOUNT, accountValues(account))
  }

  async accounts(): Promise<Account[]> {
    return (await this.#store.read<AccountRow>(ACCOUNTS)).map(accountOf)
  }

  async accountByToken(fixedToken: string): Promise<Account | undefined> {
    const [row] = await this.#store.read<AccountRow>(ACCOUNT_BY_TOKEN, [fixedToken])
    return row && accountOf(row)
  }

  async accountByUser(userId: string): Promise<Account | undefined> {
    const [row] = await this.#store.read<AccountRow>(ACCOUNT_BY_USER, [userId])
    return row && accountOf(row)
  }

  async countProvision(subnet: string, day: string, cap: number): Promise<boolean> {
    const values = [day, markOf(subnet), subnet, cap]
    const [counted] = await this.#store.write<{ count: number }>(COUNT_PROVISION, values)
    if (counted?.count === 1) await this.#forgetProvisions(day)
    return counted !== undefined
  }

  async epoch(): Promise<number> {
    const [row] = await this.#store.read<{ epoch: number }>(EPOCH)
    return row?.epoch ?? 0
  }

  async insert(resource: Resource, epoch: number): Promise<boolean> {
    const insert = () =>
      this.#store.transaction(async tx => {
        const [held] = await tx.query(HOLD_EPOCH, [epoch])
        if (held === undefined) return false
        tx.send(INSERT_RESOURCE, resourceValues(resource))
        tellOfVisit(tx, nextVisit(resource))
        return true
      })
    try {
      return await insert()
    } catch (error) {
      if (!(error instanceof StoreUnavailable && error.unsure)) throw error
      // If it cannot be found out, it remains that it may have been kept.
      return await insert().catch(again => {
        throw again instanceof StoreUnavailable ? error : again
      })
    }
  }

  async find(token: string): Promise<Resource | undefined> {
    const [row] = await this.#store.read<ResourceRow>(FIND_RESOURCE, [token])
    return row && resourceOf(row)
  }

  alter(
    token: string,
    change: (resource: Resource | undefined) => Promise<Resource | undefined>,
  ): Promise<Resource | undefined> {
    return this.#store.transaction(async tx => {
      const [row] = await tx.query<ResourceRow>(LOCK_RESOURCE, [token])
      const before = row && resourceOf(row)
      const changed = await change(before)
      if (before === undefined || changed === undefined) return undefined
      tx.send(UPDATE_RESOURCE, resourceValues(changed))
      const visit = nextVisit(changed)
      if (visit !== nextVisit(before)) tellOfVisit(tx, visit)
      return changed
    })
  }

  resources(): Promise<Resource[]> {
    return this.#resources(RESOURCES, [])
  }

  ownedBy(accountId: string): Promise<Resource[]> {
    return this.#resources(OWNED_BY, [accountId])
  }

  madeFrom(subnet: string, type: ResourceType): Promise<Resource[]> {
    return this.#resources(MADE_FROM, [subnet, type])
  }

  async due(instant: number): Promise<string[]> {
    return (await this.#store.read<{ token: string }>(DUE, [instant])).map(({ token }) => token)
  }

  async nextDue(): Promise<number | undefined> {
    const [row] = await this.#store.read<{ next: number | null }>(NEXT_DUE)
    return row?.next ?? undefined
  }

  pushDelivery(token: string, delivery: Delivery, keep: number): Promise<boolean> {
    return this.#store.transaction(async tx => {
      const [receiver] = await tx.query(LOCK_RECEIVER, [token])
      if (receiver === undefined) return false
      tx.send(ADD_DELIVERY, deliveryValues(token, delivery))
      tx.send(TRIM_DELIVERIES, [token, keep])
      tell(tx, { kind: 'delivery', token, id: delivery.id })
      return true
    })
  }

  async deliveries(token: string): Promise<Delivery[]> {
    return (await this.#store.read<DeliveryRow>(DELIVERIES_OF, [token])).map(deliveryOf)
  }

  async delivery(token: string, id: string): Promise<Delivery | undefined> {
    const [row] = await this.#store.read<DeliveryRow>(FIND_DELIVERY, [token, id])
    return row && deliveryOf(row)
  }

  async forgetDeliveries(token: string): Promise<void> {
    await this.#store.write(FORGET_DELIVERIES, [token])
  }

  dump(): Promise<InstanodeTables> {
    return this.#store.transaction(dumpAll)
  }

  load(tables: InstanodeTables): Promise<void> {
    return this.#store.transaction(async tx => {
      tell(tx, { kind: 'reset', epoch: await loadAll(tx, tables) })
    })
  }

  async close(): Promise<void> {}

  async #resources(asked: typeof RESOURCES, values: readonly unknown[]): Promise<Resource[]> {
    return (await this.#store.read<ResourceRow>(asked, values)).map(resourceOf)
  }

  /** Days before the last are over, wherever a replica's clock stands. What stays for now is forgotten with the next subnet. */
  async #forgetProvisions(day: string): Promise<void> {
    await this.#store.write(FORGET_PROVISIONS, [dayBefore(day)]).catch(() => undefined)
  }
}

function tell(tx: Transaction, news: News): void {
  tx.notify(TOPIC, written(news))
}

/** Reapers of the other replicas come round for it as well: any of them may be gone by then. */
function tellOfVisit(tx: Transaction, instant: number | null): void {
  if (instant !== null) tell(tx, { kind: 'due', instant })
}
