import { statement } from '../../../../shared/records/statement.js'
import type { StoreDatabase } from '../../../../shared/records/store-database.js'
import { StoreUnavailable } from '../../../../shared/records/store-error.js'
import type { Transaction } from '../../../../shared/records/transaction.js'
import {
  type Account,
  type Delivery,
  nextVisit,
  type Resource,
  type ResourceType,
} from '../../domain/model.js'
import type { InstanodeStore, InstanodeTables } from '../store.js'
import {
  ACCOUNT_BY_TOKEN,
  ACCOUNT_BY_USER,
  ACCOUNTS,
  type AccountRow,
  ADD_DELIVERY,
  ADD_PROVISIONS,
  accountOf,
  accountValues,
  CLEAR_ACCOUNTS,
  CLEAR_DELIVERIES,
  CLEAR_PROVISIONS,
  CLEAR_RESOURCES,
  COUNT_PROVISION,
  DELIVERIES,
  DELIVERIES_OF,
  type DeliveryRow,
  DUE,
  dayBefore,
  deliveryOf,
  deliveryValues,
  FIND_DELIVERY,
  FIND_RESOURCE,
  FORGET_DELIVERIES,
  FORGET_PROVISIONS,
  INSERT_RESOURCE,
  LOCK_RECEIVER,
  LOCK_RESOURCE,
  MADE_FROM,
  markOf,
  NEXT_DUE,
  OWNED_BY,
  PROVISIONS,
  RESOURCES,
  type ResourceRow,
  resourceOf,
  resourceValues,
  SAVE_ACCOUNT,
  TRIM_DELIVERIES,
  UPDATE_RESOURCE,
} from './rows.js'

const EPOCH = statement('SELECT epoch FROM instanode_epoch')

/** Has the epoch stay what it is until the end of the transaction; no row if it is another. */
const HOLD_EPOCH = statement('SELECT 1 FROM instanode_epoch WHERE epoch = $1 FOR SHARE')

/** Waits for who holds it. */
const NEXT_EPOCH = statement('UPDATE instanode_epoch SET epoch = epoch + 1 RETURNING epoch')

/** All that is asked behind it is of one moment. */
const AT_ONE_MOMENT = statement('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY')

/** Readers go on; who changes anything comes before or after. */
const ALONE = statement(
  'LOCK TABLE instanode_accounts, instanode_provisions, instanode_resources, instanode_deliveries IN EXCLUSIVE MODE',
)

async function dumpAll(tx: Transaction): Promise<InstanodeTables> {
  tx.send(AT_ONE_MOMENT)
  const [accounts, provisions, resources, deliveries] = await Promise.all([
    tx.query<AccountRow>(ACCOUNTS),
    tx.query<InstanodeTables['provisions'][number]>(PROVISIONS),
    tx.query<ResourceRow>(RESOURCES),
    tx.query<DeliveryRow>(DELIVERIES),
  ])
  return {
    accounts: accounts.map(accountOf),
    provisions: provisions.map(({ day, subnet, count }) => ({ day, subnet, count })),
    resources: resources.map(resourceOf),
    deliveries: deliveries.map(row => ({ token: row.token, delivery: deliveryOf(row) })),
  }
}

/** @returns the epoch that this begins */
async function loadAll(tx: Transaction, tables: InstanodeTables): Promise<number> {
  // First, as for whoever inserts: two that wait in another order wait for each other.
  const [row] = await tx.query<{ epoch: number }>(NEXT_EPOCH)
  tx.send(ALONE)
  for (const clear of [CLEAR_ACCOUNTS, CLEAR_PROVISIONS, CLEAR_RESOURCES, CLEAR_DELIVERIES]) tx.send(clear)
  for (const account of tables.accounts) tx.send(SAVE_ACCOUNT, accountValues(account))
  for (const { day, subnet, count } of tables.provisions) {
    tx.send(ADD_PROVISIONS, [day, markOf(subnet), subnet, count])
  }
  for (const resource of tables.resources) tx.send(INSERT_RESOURCE, resourceValues(resource))
  for (const { token, delivery } of tables.deliveries) tx.send(ADD_DELIVERY, deliveryValues(token, delivery))
  return row?.epoch ?? 0
}

/** Under what the replicas tell each other of Instanode. */
export const TOPIC = 'instanode'

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

  /**
   * Days before the last are over, wherever a replica's clock stands. What stays for now is forgotten with
   * the next subnet.
   */
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

/** What a replica tells the others. */
type News =
  /** Another state has been put in place of all that there was. */
  | { readonly kind: 'reset'; readonly epoch: number }
  /** The reaper has something to do at that instant, milliseconds since the epoch. */
  | { readonly kind: 'due'; readonly instant: number }
  /** A receiver has taken something. */
  | { readonly kind: 'delivery'; readonly token: string; readonly id: string }

/** As it travels. */
function written(news: News): string {
  if (news.kind === 'due') return `due ${news.instant}`
  return news.kind === 'delivery' ? `delivery ${news.token} ${news.id}` : `reset ${news.epoch}`
}

/** What it was; undefined for what this version does not know. */
export function readNews(payload: string): News | undefined {
  const [kind, first = '', second = ''] = payload.split(' ')
  if (kind === 'reset' && /^\d+$/.test(first)) return { kind, epoch: Number(first) }
  if (kind === 'due' && /^\d+$/.test(first)) return { kind, instant: Number(first) }
  return kind === 'delivery' ? { kind, token: first, id: second } : undefined
}
