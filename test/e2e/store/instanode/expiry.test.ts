import { expect, test } from 'vitest'
import { send } from '../../../support/clients/raw-http.js'
import { RecordingDatabases } from '../../../support/databases/recording-databases.js'
import { useStores } from '../../../support/databases/store.js'
import {
  createPostgres,
  createWebhook,
  DAY,
  databaseOf,
  FREE,
  listedTokens,
} from '../../../support/servers/instanode.js'
import { startReplica, startReplicas } from '../../../support/servers/instanode-replicas.js'
import { until } from '../../../support/until.js'
import { layWire } from '../../../support/wire.js'

const RETRY_MS = 60_000
const TICK = 5 * 60_000

const stores = useStores()

/** Databases of one replica, of which it gets no further than to begin dropping one. */
class Stuck extends RecordingDatabases {
  readonly begun: string[] = []
  die = () => {}

  override drop(name: string): Promise<void> {
    this.begun.push(name)
    return new Promise((_, reject) => {
      this.die = () => reject(new Error('its process is gone'))
    })
  }
}

// fidelity instanode/replicas, same: An expired resource is removed once, by one of the replicas.
test('an expired resource is removed once, with reapers on several replicas', async () => {
  const { a, b, databases } = await startReplicas(stores.freshUrl())
  const anonymous = await a.client()
  const made = [await createPostgres(anonymous), await createPostgres(anonymous)]
  const free = await b.client(FREE)
  for (let nth = 0; nth < 3; nth++) made.push(await createPostgres(free))
  await until(() => b.instance.clock.pending > 0)
  await a.instance.clock.advance(DAY)
  expect(databases.dropped.toSorted()).toEqual(made.map(({ token }) => databaseOf(token)).toSorted())
  await b.instance.clock.advance(DAY)
  expect(databases.dropped).toHaveLength(made.length)
})

test('a resource of a replica that has ended is removed by another', async () => {
  const { a, b, databases } = await startReplicas(stores.freshUrl())
  const database = await createPostgres(await a.client())
  const hook = await createWebhook(await a.client())
  await send(hook.receive_url)
  await a.instanode.close()
  await until(() => b.instance.clock.pending > 0)
  expect(await b.instanode.deliveries(hook.token)).toHaveLength(1)
  await b.instance.clock.advance(DAY)
  expect(databases.dropped).toEqual([databaseOf(database.token)])
  expect(await b.instanode.deliveries(hook.token)).toEqual([])
})

// fidelity instanode/replicas, same: Another replica completes a removal that a replica has begun before it
// died.
test('a removal that a replica had begun when it died is completed by another a minute later', async () => {
  const url = stores.freshUrl()
  const stuck = new Stuck()
  const a = await startReplica(url, { databases: stuck })
  const { token } = await createPostgres(await a.client(FREE))
  const dying = a.instance.clock.advance(DAY).catch(() => undefined)
  await until(() => stuck.begun.length === 1)
  // To the others it is gone as its connections are.
  await a.instance.store?.close()

  const b = await startReplica(url)
  expect([await listedTokens(await b.client(FREE)), b.databases.dropped]).toEqual([[], []])
  await b.instance.clock.advance(RETRY_MS - 1)
  expect(b.databases.dropped).toEqual([])
  await b.instance.clock.advance(1)
  expect(b.databases.dropped).toEqual([databaseOf(token)])

  stuck.die()
  await dying
})

test('a replica that starts late removes what is overdue', async () => {
  const url = stores.freshUrl()
  const { a, databases } = await startReplicas(url)
  const { token } = await createPostgres(await a.client())
  const late = await startReplica(url, { databases })
  expect(late.instance.clock.pending).toBe(1)
  await late.instance.clock.advance(DAY)
  expect(databases.dropped).toEqual([databaseOf(token)])
})

test('a replica whose connections were cut misses no expiry when they are back', async () => {
  const url = stores.freshUrl()
  const way = await layWire(url)
  const databases = new RecordingDatabases()
  const a = await startReplica(url, { databases })
  const b = await startReplica(way.url, { databases })
  await way.cut()
  const { token } = await createPostgres(await a.client())
  await way.mend()
  await until(() => b.instance.clock.pending > 0)
  await b.instance.clock.advance(DAY)
  expect(databases.dropped).toEqual([databaseOf(token)])
})

test('sizes are judged once, at ticks that are the same for all replicas (observed)', async () => {
  const url = stores.freshUrl()
  const databases = new RecordingDatabases()
  const a = await startReplica(url, { databases, contract: 'observed' })
  await a.instance.clock.advance(3 * 60_000)
  const b = await startReplica(url, { databases, contract: 'observed' })
  const { token } = await createPostgres(await a.client())
  databases.sizes.set(databaseOf(token), 2 ** 30)
  await until(() => b.instance.clock.pending > 0)
  await b.instance.clock.advance(TICK - 3 * 60_000 - 1)
  expect(databases.blocked).toEqual([])
  await b.instance.clock.advance(1)
  expect(databases.blocked).toEqual([databaseOf(token)])
})
