import { expect, it, onTestFinished } from 'vitest'
import { Clock } from '../../shared/clock/clock.js'
import { Progress } from '../../shared/records/progress.js'
import { StoreDatabase } from '../../shared/records/store-database.js'
import { silentLog } from '../../shared/util/log.js'
import { useStores } from '../support/databases/store.js'
import { until } from '../support/until.js'

const stores = useStores()

/** A replica that reports its progress. */
async function replica(url: string) {
  const machine = new Clock()
  const store = await StoreDatabase.open({ url, machine, log: silentLog })
  onTestFinished(async () => {
    await store.close()
    machine.close()
  })
  return { store, progress: new Progress(store, 'clock') }
}

it('progress of a replica that has ended is not waited for', async () => {
  const url = stores.freshUrl()
  const [one, two] = [await replica(url), await replica(url)]
  for (const { progress } of [one, two]) await progress.report(1)
  await one.progress.report(2)
  expect(await one.progress.waitForOthers(2, 0)).toEqual(['replica 2'])
  await two.store.close()
  await until(async () => (await one.progress.waitForOthers(2, 0)).length === 0)
})

it('a replica whose connection was broken is waited for again, at the step that it had reported', async () => {
  const url = stores.freshUrl()
  const [one, two] = [await replica(url), await replica(url)]
  await two.store.introduce('the second')
  await two.progress.report(3)
  await two.progress.report(2)
  await stores.cut(url)
  await until(async () => (await one.progress.waitForOthers(4, 0)).length === 1)
  expect(await one.progress.waitForOthers(4, 0)).toEqual(['the second'])
  expect(await one.progress.waitForOthers(3, 0)).toEqual([])
})

it('a replica that has reported nothing, or has left, is not waited for', async () => {
  const url = stores.freshUrl()
  const [one, two] = [await replica(url), await replica(url)]
  expect(await one.progress.waitForOthers(1, 60_000)).toEqual([])
  await two.progress.report(1)
  await two.progress.leave()
  expect(await one.progress.waitForOthers(2, 60_000)).toEqual([])
})
