import { describe, expect, test } from 'vitest'
import { send } from '../../../support/clients/raw-http.js'
import { concurrently } from '../../../support/concurrently.js'
import { useStores } from '../../../support/databases/store.js'
import {
  createPostgres,
  createWebhook,
  databaseOf,
  FREE,
  listedTokens,
  PAID,
} from '../../../support/servers/instanode.js'
import { startReplica, startReplicas } from '../../../support/servers/instanode-replicas.js'
import { call, ok, refused } from '../../../support/servers/understudy.js'
import { until } from '../../../support/until.js'

const stores = useStores()

describe('the daily cap across replicas', () => {
  // fidelity instanode/replicas, same: The daily cap counts for all replicas together.
  test('lets five of twenty concurrent creations at both replicas pass', async () => {
    const { a, b, databases } = await startReplicas(stores.freshUrl())
    const clients = [await a.client(), await b.client()]
    const outcomes = await concurrently(
      Array.from({ length: 10 }, () => clients)
        .flat()
        .map(client => ({ client, tool: 'create_postgres', args: { name: 'rush' } })),
    )
    expect(outcomes.filter(({ refused }) => !refused)).toHaveLength(5)
    expect(databases.live.size).toBe(5)
  })

  // fidelity instanode/replicas, differs: A receiver has one URL. Here: Each replica shows a receiver at its
  // own address, because each replica has an address of its own.
  test('returns a receiver of another replica, with the URL of the called one (observed)', async () => {
    const { a, b } = await startReplicas(stores.freshUrl(), { contract: 'observed' })
    const [onA, onB] = [await a.client(), await b.client()]
    for (let nth = 1; nth < 5; nth++) await createWebhook(onA)
    const { token } = await createWebhook(onA)
    const again = await createWebhook(onB)
    expect(again).toMatchObject({ token, receive_url: `${b.url}/webhook/receive/${token}` })
    expect((await send(again.receive_url)).status).toBe(200)
  })
})

describe('a resource created on one replica', () => {
  // fidelity instanode/replicas, same: A resource has one owner at all replicas.
  test('belongs to one of two accounts that claim it at once at different replicas', async () => {
    const { a, b, databases } = await startReplicas(stores.freshUrl())
    const [free, paid] = [await a.client(FREE), await b.client(PAID)]
    const tokens: string[] = []
    for (let nth = 0; nth < 20; nth++) {
      const anonymous = await a.instanode.connect({ address: `203.0.${nth}.1` })
      tokens.push((await createPostgres(anonymous)).token)
    }
    const outcomes = await concurrently(
      tokens.flatMap(token => [free, paid].map(client => ({ client, tool: 'claim_token', args: { token } }))),
    )
    const lists = [await listedTokens(free), await listedTokens(paid)]
    for (const [nth, token] of tokens.entries()) {
      const pair = outcomes.slice(2 * nth, 2 * nth + 2)
      expect(pair.filter(({ refused }) => !refused)).toHaveLength(1)
      expect(pair.find(({ refused }) => refused)?.text).toContain('(404 not_found)')
      expect(lists.map(list => list.includes(token))).toEqual(pair.map(({ refused }) => !refused))
      const connections = databases.live.get(databaseOf(token))?.limits.connections
      expect(connections).toBe(pair[1]?.refused ? 2 : 5)
    }
  })

  test('can be claimed on another, is listed on both, and is deleted on both', async () => {
    const { a, b, databases } = await startReplicas(stores.freshUrl())
    const { token } = await createPostgres(await a.client())
    const [onA, onB] = [await a.client(PAID), await b.client(PAID)]
    await ok(onB, 'claim_token', { token })
    expect([await listedTokens(onA), await listedTokens(onB)]).toEqual([[token], [token]])
    await ok(onA, 'delete_resource', { token })
    expect(databases.dropped).toHaveLength(1)
    expect(await listedTokens(onB)).toEqual([])
    expect(await refused(onB, 'claim_token', { token })).toContain('(410 resource_expired)')
    expect(await refused(onB, 'delete_resource', { token })).toContain('(404 not_found)')
  })
})

describe('deliveries', () => {
  // fidelity instanode/replicas, same: Each replica takes deliveries for all receivers, and reads them back.
  test('are accepted by both replicas, and can be read from both', async () => {
    const { a, b } = await startReplicas(stores.freshUrl())
    const { token, receive_url } = await createWebhook(await a.client())
    const heard: string[] = []
    a.instanode.onDelivery((at, { body }) => heard.push(`a: ${at === token} ${body}`))
    b.instanode.onDelivery((at, { body }) => heard.push(`b: ${at === token} ${body}`))
    await send(receive_url, { body: 'one' })
    await until(() => heard.length === 2)
    await send(receive_url.replace(a.url, b.url), { body: 'two' })
    await until(() => heard.length === 4)
    expect(heard.toSorted()).toEqual(['a: true one', 'a: true two', 'b: true one', 'b: true two'])
    const [onA, onB] = [await a.instanode.deliveries(token), await b.instanode.deliveries(token)]
    expect(onB.map(({ body }) => String(body))).toEqual(['two', 'one'])
    expect(onA).toEqual(onB)
  })
})

describe('accounts', () => {
  test('are those of one world, however many replicas start at once', async () => {
    const url = stores.freshUrl()
    const replicas = await Promise.all(Array.from({ length: 4 }, () => startReplica(url)))
    const accounts = await Promise.all(replicas.map(({ instanode }) => instanode.accounts()))
    expect(accounts[0]).toHaveLength(3)
    for (const others of accounts) expect(others).toEqual(accounts[0])
  })

  // fidelity instanode/replicas, same: The token of an account is good at each replica.
  test('have tokens that are valid at every replica, also after a restart', async () => {
    const url = stores.freshUrl()
    const { a, b } = await startReplicas(url)
    const token = String((await ok(await a.client(FREE), 'get_api_token')).token)
    const hook = await createWebhook(await b.client(token))
    for (const { instanode, instance } of [a, b]) {
      await instanode.close()
      await instance.close()
    }
    const c = await startReplica(url, { seed: 'another' })
    expect(await listedTokens(await c.client(token))).toEqual([hook.token])
    expect((await call(await c.client('forged'), 'list_resources')).isError).toBe(true)
  })
})

// fidelity instanode/replicas, differs: The request limiter counts for the whole service. Here: Each replica
// counts its own requests, because the limiter is there to be tested, and protects nothing.
test('each replica limits requests by itself', async () => {
  const { a, b } = await startReplicas(stores.freshUrl(), { requestLimit: { atOnce: 1, perSecond: 1 } })
  const health = ({ url }: { url: string }) => send(`${url}/healthz`, { method: 'GET' })
  expect([(await health(a)).status, (await health(a)).status, (await health(b)).status]).toEqual([
    200, 429, 200,
  ])
})
