import fc from 'fast-check'
import { afterEach, expect, it, onTestFinished, vi } from 'vitest'
import { Clock } from '../../shared/clock/clock.js'
import { MemoryRecords } from '../../shared/records/memory-records.js'
import { Partition } from '../../shared/records/partition.js'
import { PostgresRecords } from '../../shared/records/postgres-records.js'
import type { Records } from '../../shared/records/records.js'
import { StoreDatabase } from '../../shared/records/store-database.js'
import { silentLog } from '../../shared/util/log.js'
import { useStores } from '../support/databases/store.js'

const stores = useStores()

type Change = ['set' | 'delete', collection: 'table' | 'list', key: number, value: number]

interface Step {
  partition: number
  /** Which of the replicas does it. */
  replica: number
  changes: Change[]
  throws: boolean
  /** Whether the state is dumped and put in place before it. */
  replaced: boolean
}

/** A model of records: partitions of collections of values. A transaction changes all of its values or none. */
class Model {
  state = new Map<string, number>()

  run(partition: number, changes: readonly Change[], throws: boolean): void {
    if (throws) return
    for (const [what, collection, key, value] of changes) {
      if (what === 'set') this.state.set(`${partition} ${collection} ${key}`, value)
      else this.state.delete(`${partition} ${collection} ${key}`)
    }
  }
}

const change = fc.tuple(
  fc.constantFrom('set' as const, 'set' as const, 'delete' as const),
  fc.constantFrom('table' as const, 'list' as const),
  fc.nat(3),
  fc.nat(),
)
const step: fc.Arbitrary<Step> = fc.record({
  partition: fc.nat(1),
  replica: fc.nat(1),
  changes: fc.array(change, { maxLength: 5 }),
  throws: fc.boolean(),
  replaced: fc.nat(9).map(one => one === 0),
})

async function runStep(records: Records, { partition, changes, throws }: Step): Promise<void> {
  const work = records.transaction(`test/thing/${partition}`, tx => {
    for (const [what, collection, key, value] of changes) {
      if (collection === 'table') {
        const table = tx.table<number>('table')
        if (what === 'set') table.set(String(key), value)
        else table.delete(String(key))
      } else {
        const list = tx.list<number>('list')
        if (what === 'set') list.set(key, value)
        else list.delete(key)
      }
    }
    if (throws) throw new Error('changed my mind')
  })
  if (throws) await expect(work).rejects.toThrow('changed my mind')
  else await work
}

/** Returns the state that one replica reads, in the form of the model. */
async function read(records: Records): Promise<Map<string, number>> {
  const state = new Map<string, number>()
  for (const partition of [0, 1]) {
    await records.transaction(`test/thing/${partition}`, tx => {
      for (const [key, value] of tx.table<number>('table').entries())
        state.set(`${partition} table ${key}`, value)
      const list = tx.list<number>('list')
      for (const key of [0, 1, 2, 3]) {
        const value = list.get(key)
        if (value !== undefined) state.set(`${partition} list ${key}`, value)
      }
    })
  }
  return state
}

const recordsAreAModel = (open: () => Promise<readonly Records[]>) =>
  fc.asyncProperty(fc.array(step, { maxLength: 25 }), async steps => {
    const replicas = await open()
    const model = new Model()
    for (const one of steps) {
      const records = replicas[one.replica % replicas.length]
      if (records === undefined) throw new Error('there is no replica')
      if (one.replaced) await records.replace('test', await records.dump('test'))
      await runStep(records, one)
      model.run(one.partition, one.changes, one.throws)
    }
    for (const records of replicas) expect(await read(records)).toEqual(model.state)
  })

const inMemory = () => recordsAreAModel(async () => [new MemoryRecords()])

afterEach(() => {
  vi.restoreAllMocks()
})

it('records in memory match the model, whichever transactions throw', async () => {
  await fc.assert(inMemory(), { numRuns: 500 })
})

it('records of two replicas on PostgreSQL match the model', async () => {
  const machine = new Clock()
  const url = stores.freshUrl()
  const databases = [0, 1].map(() => StoreDatabase.open({ url, machine, log: silentLog }))
  const replicas = await Promise.all(databases.map(async opening => PostgresRecords.open(await opening)))
  onTestFinished(async () => {
    for (const records of replicas) await records.close()
    for (const opening of databases) await (await opening).close()
    machine.close()
  })
  const property = recordsAreAModel(async () => {
    await replicas[0]?.replace('test', [])
    return replicas
  })
  await fc.assert(property, { numRuns: 40 })
})

it('the property fails when a transaction that throws leaves its changes', async () => {
  vi.spyOn(Partition.prototype, 'undo').mockImplementation(function (this: Partition) {
    this.commit()
  })
  expect((await fc.check(inMemory(), { numRuns: 500, endOnFailure: true })).failed).toBe(true)
})
