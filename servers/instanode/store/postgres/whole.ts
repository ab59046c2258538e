import { statement } from '../../../../shared/records/statement.js'
import type { Transaction } from '../../../../shared/records/transaction.js'
import type { InstanodeTables } from '../store.js'
import {
  ACCOUNTS,
  type AccountRow,
  accountOf,
  accountValues,
  CLEAR_ACCOUNTS,
  SAVE_ACCOUNT,
} from './accounts.js'
import {
  ADD_DELIVERY,
  CLEAR_DELIVERIES,
  DELIVERIES,
  type DeliveryRow,
  deliveryOf,
  deliveryValues,
} from './deliveries.js'
import { NEXT_EPOCH } from './epoch.js'
import { ADD_PROVISIONS, CLEAR_PROVISIONS, markOf, PROVISIONS } from './provisions.js'
import {
  CLEAR_RESOURCES,
  INSERT_RESOURCE,
  RESOURCES,
  type ResourceRow,
  resourceOf,
  resourceValues,
} from './resources.js'

/** All that is asked behind it is of one moment. */
const AT_ONE_MOMENT = statement('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY')

/** Readers go on; who changes anything comes before or after. */
const ALONE = statement(
  'LOCK TABLE instanode_accounts, instanode_provisions, instanode_resources, instanode_deliveries IN EXCLUSIVE MODE',
)

export async function dumpAll(tx: Transaction): Promise<InstanodeTables> {
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
export async function loadAll(tx: Transaction, tables: InstanodeTables): Promise<number> {
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
