import { expect, test } from 'vitest'
import { send } from '../../../support/clients/raw-http.js'
import { useStores } from '../../../support/databases/store.js'
import {
  createPostgres,
  createWebhook,
  DAY,
  databaseOf,
  FREE,
  listedTokens,
} from '../../../support/servers/instanode.js'
import { startReplica } from '../../../support/servers/instanode-replicas.js'
import { refused } from '../../../support/servers/understudy.js'
import { until } from '../../../support/until.js'
import { layWire, type Wire } from '../../../support/wire.js'

const stores = useStores()

async function startBehind(
  clock = 'manual',
): Promise<{ way: Wire; running: Awaited<ReturnType<typeof startReplica>> }> {
  const way = await layWire(stores.freshUrl())
  return { way, running: await startReplica(way.url, { clock }) }
}

/** Cuts the way and resolves when the replica knows. */
async function away(way: Wire, { instance }: Awaited<ReturnType<typeof startReplica>>): Promise<void> {
  await way.cut()
  await until(() => instance.store?.notices.available === false)
}

// fidelity instanode/replicas, differs: A delivery that cannot be stored gets 200. Here: While a shared store
// is away it gets 503, so that no delivery is accepted and lost.
// fidelity instanode/replicas, differs: A request that needs the database gets 500 while the database is
// away. Here: It gets 503 `store_unavailable` with `Retry-After`, so that the caller tries again.
test('while the store is away every call is refused as temporary, and works again later', async () => {
  const { way, running } = await startBehind()
  const { client, url } = running
  const [free, anonymous] = [await client(FREE), await client()]
  const hook = await createWebhook(free)
  const headers = { authorization: `Bearer ${FREE}` }
  await away(way, running)

  for (const [caller, tool, args] of [
    [free, 'list_resources', {}],
    [anonymous, 'create_webhook', { name: 'x' }],
    [free, 'claim_token', { token: hook.token }],
  ] as const) {
    expect(await refused(caller, tool, args)).toMatch(
      /^\w+ failed: the store at 127\.0\.0\.1:\d+\/\w+ cannot be reached just now.*: call again in a moment$/,
    )
  }
  const list = () => send(`${url}/api/me/resources`, { method: 'GET', headers })
  const { status, json, headers: answered } = await list()
  expect([status, json, answered['retry-after']]).toEqual([
    503,
    { error: 'store_unavailable', message: expect.stringContaining('call again in a moment'), ok: false },
    '1',
  ])
  const delivered = await send(hook.receive_url)
  expect([delivered.status, delivered.json, delivered.headers['retry-after']]).toEqual([
    503,
    { error: 'lookup_failed', ok: false },
    '1',
  ])
  expect((await send(`${url}/readyz`, { method: 'GET' })).json).toMatchObject({
    checks: { platform_db: 'ping_failed', redis: 'ping_failed', customer_db: 'ok' },
    error: 'platform_db_ping_failed',
  })
  expect((await send(`${url}/healthz`, { method: 'GET' })).status).toBe(200)

  await way.mend()
  await until(async () => (await list()).status === 200)
  expect(await listedTokens(free)).toEqual([hook.token])
  expect((await send(hook.receive_url)).status).toBe(200)
  expect((await send(`${url}/readyz`, { method: 'GET' })).status).toBe(200)
})

test('a resource that expires during an outage of the store is removed after it', async () => {
  const { way, running } = await startBehind('real')
  const { client, databases, instance } = running
  const { token } = await createPostgres(await client())
  const due = instance.clock.now() + DAY
  await instance.clock.advance(DAY - 1000)
  await away(way, running)
  await until(() => instance.clock.now() > due)
  expect(databases.dropped).toEqual([])
  await way.mend()
  await until(() => databases.dropped.length > 0)
  expect(databases.dropped).toEqual([databaseOf(token)])
})

test('a database that cannot be recorded because the store has gone is dropped again', async () => {
  const { way, running } = await startBehind()
  const { client, databases } = running
  const anonymous = await client()
  const provision = databases.provision.bind(databases)
  databases.provision = async spec => {
    const made = await provision(spec)
    await way.cut()
    return made
  }
  expect(await refused(anonymous, 'create_postgres', { name: 'x' })).toContain('call again in a moment')
  expect([databases.live.size, databases.dropped.length]).toEqual([0, 1])
})
