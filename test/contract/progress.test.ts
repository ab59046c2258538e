import { expect, it, onTestFinished } from 'vitest'
import { Clock } from '../../shared/clock/clock.js'
import { PostgresRecords } from '../../shared/records/postgres-records.js'
import { Progress } from '../../shared/records/progress.js'
import type { Records } from '../../shared/records/records.js'
import { StoreDatabase } from '../../shared/records/store-database.js'
import { silentLog } from '../../shared/util/log.js'
import { useStores } from '../support/databases/store.js'
import { until } from '../support/until.js'

const PARTITION = 'test/progress/steps'

const stores = useStores()

/** A replica that reports its progress. */
async function replica(url: string) {
  const machine = new Clock()
  const database = await StoreDatabase.open({ url, machine, log: silentLog })
  const records = await PostgresRecords.open(database)
  const close = async () => {
    await records.close()
    await database.close()
  }
  onTestFinished(async () => {
    await close()
    machine.close()
  })
  return { records, close, progress: new Progress({ records, machine, partition: PARTITION }) }
}

const reported = (records: Records) =>
  records.transaction(PARTITION, tx => [...tx.table<number>('steps').keys()].toSorted())

it('progress of a replica that has ended is not waited for, and is removed', async () => {
  const url = stores.freshUrl()
  const [one, two] = [await replica(url), await replica(url)]
  for (const { progress } of [one, two]) await progress.report(1)
  await one.progress.report(2)
  expect(await one.progress.gathered(2, 0)).toEqual([2])
  expect(await reported(one.records)).toEqual(['1', '2'])
  await two.close()
  await until(async () => (await one.progress.gathered(2, 0)).length === 0)
  expect(await reported(one.records)).toEqual(['1'])
})

it('a replica whose progress was removed while its connection was broken reports it again', async () => {
  const url = stores.freshUrl()
  const [one, two] = [await replica(url), await replica(url)]
  await two.progress.report(3)
  await one.records.transaction(PARTITION, tx => tx.table<number>('steps').clear())
  await stores.cut(url)
  await until(async () => (await reported(one.records)).includes('2'))
  expect(await one.progress.gathered(4, 0)).toEqual([2])
})
