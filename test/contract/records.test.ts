import { afterEach, describe, it, onTestFinished, vi } from 'vitest'
import { Clock } from '../../shared/clock/clock.js'
import { MemoryRecords } from '../../shared/records/memory-records.js'
import { PostgresRecords } from '../../shared/records/postgres-records.js'
import type { Records } from '../../shared/records/records.js'
import { StoreDatabase } from '../../shared/records/store-database.js'
import { silentLog } from '../../shared/util/log.js'
import { useStores } from '../support/databases/store.js'
import { RECORD_CASES } from './records/cases.js'
import { REPLICA_CASES } from './records/replicas.js'

const stores = useStores()

/** A replica on the store at `url`, closed when the test is over. */
async function replica(url: string): Promise<Records> {
  const machine = new Clock()
  const database = await StoreDatabase.open({ url, machine, log: silentLog })
  const records = await PostgresRecords.open(database)
  onTestFinished(async () => {
    await records.close()
    await database.close()
    machine.close()
  })
  return records
}

const KINDS: Readonly<Record<string, () => Promise<Records>>> = {
  'in memory': async () => new MemoryRecords(),
  'on PostgreSQL': () => replica(stores.freshUrl()),
}

afterEach(() => {
  vi.restoreAllMocks()
})

describe.each(Object.entries(KINDS))('records %s', (_, open) => {
  it.each(Object.entries(RECORD_CASES))('%s', async (_title, run) => run(await open()))
})

describe('records of two replicas', () => {
  it.each(Object.entries(REPLICA_CASES))('%s', async (_title, run) => {
    const url = stores.freshUrl()
    await run(await replica(url), await replica(url), () => stores.cut(url))
  })
})
