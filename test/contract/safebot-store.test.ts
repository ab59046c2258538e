import { describe, expect, it, onTestFinished } from 'vitest'
import { MemoryStore } from '../../servers/safebot/store/memory.js'
import { PostgresStore } from '../../servers/safebot/store/postgres/postgres-store.js'
import type { SafebotStore } from '../../servers/safebot/store/store.js'
import { storeAt } from '../../servers/understudy/store-options.js'
import { Clock } from '../../shared/clock/clock.js'
import { StoreDatabase } from '../../shared/records/store-database.js'
import { silentLog } from '../../shared/util/log.js'
import { useStores } from '../support/databases/store.js'
import type { StoreCase } from './safebot/store/case.js'
import { consumers } from './safebot/store/consumers.js'
import { messages } from './safebot/store/messages.js'
import { rooms } from './safebot/store/rooms.js'
import { whole } from './safebot/store/whole.js'

const CASES: Record<string, StoreCase[]> = { rooms, messages, consumers, whole }

const stores = useStores()

/** A store that holds nothing, closed when the test is over. */
const FACTORIES: Record<string, () => Promise<SafebotStore>> = {
  async memory() {
    return new MemoryStore()
  },
  async PostgreSQL() {
    const machine = new Clock()
    const database = await StoreDatabase.open({
      ...(await storeAt(stores.freshUrl())),
      ...{ machine, log: silentLog },
    })
    onTestFinished(async () => {
      await database.close()
      machine.close()
    })
    return PostgresStore.open(database)
  },
}

describe.each(Object.keys(FACTORIES))("Safebot's store in %s", name => {
  describe.each(Object.keys(CASES))('%s', part => {
    it.each(CASES[part] ?? [])('$it', async ({ shows }) => {
      const store = await FACTORIES[name]?.()
      expect(store).toBeDefined()
      if (store !== undefined) await shows(store)
    })
  })
})
