import { expect, test } from 'vitest'
import { DEFAULT_WORLD } from '../../../../shared/world/default-world.js'
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
  type RunningInstanode,
} from '../../../support/servers/instanode.js'
import { startReplica, startReplicas } from '../../../support/servers/instanode-replicas.js'
import { call, textOf } from '../../../support/servers/understudy.js'
import { until } from '../../../support/until.js'
import { layWire } from '../../../support/wire.js'

const stores = useStores()

/** As a reset of the whole instance does it with this server. */
async function reset({ instanode: { state }, instance }: RunningInstanode): Promise<void> {
  const kept = await state.begin(DEFAULT_WORLD, instance.clock.now())
  await state.alone(async () => {
    await kept.prepare()
    await kept.place()
  })
}

test('a reset on one replica resets all: rows, databases, counts, and the expiries that the reaper waits for', async () => {
  const { a, b, databases } = await startReplicas(stores.freshUrl())
  const anonymous = await b.client()
  const { token } = await createPostgres(anonymous)
  for (let nth = 2; nth <= 5; nth++) await createWebhook(anonymous)
  const free = await b.client(FREE)
  await createWebhook(free)
  await until(() => a.instance.clock.pending > 0)

  await reset(a)
  expect(databases.dropped).toEqual([databaseOf(token)])
  expect(await listedTokens(free)).toEqual([])
  await until(() => b.instance.clock.pending === 0)
  const again = await createWebhook(anonymous)
  expect((await send(again.receive_url)).status).toBe(200)
})

test('a state that one replica restores is restored for the others', async () => {
  const { a, b, databases } = await startReplicas(stores.freshUrl())
  const [onA, onB] = [await a.client(FREE), await b.client(FREE)]
  const kept = await createPostgres(onB)
  const snapshot = await a.instanode.state.alone(() => a.instanode.state.keep())
  const lost = await createPostgres(onB)
  await a.instanode.state.alone(async () => {
    await snapshot.prepare()
    await snapshot.place()
  })
  expect(await listedTokens(onB)).toEqual([kept.token])
  expect(await listedTokens(onA)).toEqual([kept.token])
  expect(databases.dropped).toEqual([databaseOf(lost.token)])
  await b.instance.clock.advance(DAY)
  expect(databases.dropped).toEqual([lost, kept].map(({ token }) => databaseOf(token)))
})

test('a call that a fault holds on another replica ends with the reset', async () => {
  const { a, b } = await startReplicas(stores.freshUrl())
  const client = await b.client(FREE)
  b.instance.faults.set([
    { server: 'instanode', tool: 'list_resources', when: { always: true }, do: { hang: true } },
  ])
  const held = call(client, 'list_resources')
  await until(() => b.instance.journal.entries().some(({ tool }) => tool === 'list_resources'))
  await reset(a)
  expect(textOf(await held)).toContain('put back to another state')
})

test('a creation that is in progress on another replica during a reset leaves nothing behind', async () => {
  const { a, b, databases } = await startReplicas(stores.freshUrl())
  const free = await b.client(FREE)
  const provision = databases.provision.bind(databases)
  let begun = false
  let goOn = () => {}
  databases.provision = async spec => {
    begun = true
    await new Promise<void>(resolve => {
      goOn = resolve
    })
    return provision(spec)
  }
  const creating = call(free, 'create_postgres', { name: 'late' })
  await until(() => begun)
  await reset(a)
  goOn()
  expect(textOf(await creating)).toContain('(503 internal_error)')
  expect([databases.live.size, await listedTokens(free)]).toEqual([0, []])
})

test('a replica that missed the notice of a reset follows the reset at its next read', async () => {
  const url = stores.freshUrl()
  const way = await layWire(url)
  const databases = new RecordingDatabases()
  const a = await startReplica(url, { databases })
  const b = await startReplica(way.url, { databases })
  const client = await b.client(FREE)
  b.instance.faults.set([
    { server: 'instanode', tool: 'list_resources', when: { always: true }, do: { hang: true } },
  ])
  const held = call(client, 'list_resources')
  await until(() => b.instance.journal.entries().some(({ tool }) => tool === 'list_resources'))
  await way.cut()
  await reset(a)
  await way.mend()
  expect(textOf(await held)).toContain('put back to another state')
})
