import { describe, onTestFinished, test } from 'vitest'
import { MemoryStore } from '../../servers/instanode/store/memory.js'
import { INSTANODE_MIGRATIONS } from '../../servers/instanode/store/postgres/migrations.js'
import { PostgresStore } from '../../servers/instanode/store/postgres/postgres-store.js'
import type { InstanodeStore } from '../../servers/instanode/store/store.js'
import { Clock } from '../../shared/clock/clock.js'
import { StoreDatabase } from '../../shared/records/store-database.js'
import { silentLog } from '../../shared/util/log.js'
import { useStores } from '../support/databases/store.js'
import { STORE_CASES } from './instanode/store.js'

const stores = useStores()

async function onPostgres(): Promise<InstanodeStore> {
  const machine = new Clock()
  const url = stores.freshUrl()
  const store = await StoreDatabase.open({ url, migrations: INSTANODE_MIGRATIONS, machine, log: silentLog })
  onTestFinished(async () => {
    await store.close()
    machine.close()
  })
  return new PostgresStore(store)
}

const KINDS: Readonly<Record<string, () => Promise<InstanodeStore>>> = {
  'in memory': async () => new MemoryStore(),
  'on PostgreSQL': onPostgres,
}

describe.each(Object.entries(KINDS))('the Instanode store %s', (_, open) => {
  test.each(Object.entries(STORE_CASES))('%s', async (_title, run) => run(await open()))
})
