import { describe, expect, it } from 'vitest'
import { send } from '../../support/clients/raw-http.js'
import {
  createPostgres,
  createWebhook,
  DAY,
  databaseOf,
  FREE,
  listed,
  listedTokens,
  PAID,
  startInstanode,
} from '../../support/servers/instanode.js'
import { call, ok, textOf } from '../../support/servers/understudy.js'

const TICK = 5 * 60_000
const observed = (clock = 'manual') => startInstanode({ contract: 'observed', clock })

describe('under the observed contract', () => {
  // fidelity instanode/contracts, same: Under `observed`, paid limits are the free ones, and a claim does not
  // change them.
  it('paid limits are the free ones, also after a claim', async () => {
    const { client, databases } = await observed()
    const { token } = await createPostgres(await client())
    const paid = await client(PAID)
    expect(await createPostgres(paid)).toMatchObject({
      expires_at: null,
      limits: { storage_mb: 10, connections: 2, expires_in: null },
    })
    await ok(paid, 'claim_token', { token })
    expect(databases.live.get(databaseOf(token))?.limits.connections).toBe(2)
  })

  // fidelity instanode/contracts, same: Under `observed`, the sixth anonymous provision of a day returns the
  // newest resource of its type.
  it('the sixth provision returns the newest of its type, without name and expiry', async () => {
    const { client } = await observed()
    const caller = await client()
    for (let nth = 1; nth <= 4; nth++) await createPostgres(caller, `nth ${nth}`)
    const newest = await createPostgres(caller, 'newest')
    const again = await call(caller, 'create_postgres', { name: 'sixth' })
    const { token, connection_url } = newest
    expect(again.structuredContent).toMatchObject({ token, connection_url, name: null, expires_at: null })
    expect(textOf(again)).toContain('Returning your existing database')
    const none = await call(caller, 'create_webhook', { name: 'x' })
    expect(textOf(none)).toContain('cap of 5')
  })

  // fidelity instanode/contracts, same: Under `observed`, a creation with a bad bearer is anonymous.
  it('a bad bearer is ignored on creation, and refused elsewhere', async () => {
    const { client } = await observed()
    const forged = await client('forged')
    expect((await createPostgres(forged)).tier).toBe('anonymous')
    expect(textOf(await call(forged, 'list_resources'))).toContain('INSTANODE_TOKEN')
  })

  // fidelity instanode/contracts, same: Under `observed`, the creations of a free account count for the cap,
  // and are not linked to the account.
  // fidelity instanode/contracts, same: Under `observed`, a listed resource has `type` and not
  // `resource_type`.
  it('a free account is capped, and owns only claimed resources', async () => {
    const { client } = await observed()
    const free = await client(FREE)
    const made = [await createWebhook(free), await createWebhook(free)]
    expect(await listed(free)).toEqual([])
    for (const { token } of made) await ok(free, 'claim_token', { token })
    expect(await listedTokens(free)).toEqual(made.map(({ token }) => token).reverse())
    expect((await listed(free))[0]).not.toHaveProperty('resource_type')
    for (let nth = 3; nth <= 5; nth++) await createWebhook(free, `nth ${nth}`)
    expect(await ok(free, 'create_webhook', { name: 'sixth' })).toMatchObject({ name: null })
  })

  // fidelity instanode/contracts, same: Under `observed`, an expired resource works until the next tick.
  // fidelity instanode/tiers, same: Under `observed`, the reaper runs every 5 minutes, for the first time one
  // interval after the start.
  // fidelity instanode/tiers, absent: The reaper removes at most 50 resources at a tick. Here: There is no
  // such bound, because a test has few resources.
  // fidelity instanode/tiers, same: Under `observed`, a claim by a paid account before the tick rescues an
  // overdue resource.
  it('an overdue resource works until the next tick, and can be claimed until then', async () => {
    const { client, instance, databases } = await observed()
    await instance.clock.advance(1000)
    const [kept, lost] = [await createPostgres(await client()), await createPostgres(await client())]
    await instance.clock.advance(DAY)
    const paid = await client(PAID)
    await ok(paid, 'claim_token', { token: kept.token })
    expect(databases.dropped).toEqual([])
    await instance.clock.advance(TICK - 1000)
    expect(databases.dropped).toEqual([databaseOf(lost.token)])
    expect(await listedTokens(paid)).toEqual([kept.token])
  })

  // fidelity instanode/contracts, same: Under `observed`, a deleted database leaves the list at once. The
  // next tick drops it.
  it('a deleted database leaves the list at once, and is dropped at the next tick', async () => {
    const { client, instance, databases } = await observed()
    const paid = await client(PAID)
    const { token } = await createPostgres(paid)
    expect(await ok(paid, 'delete_resource', { token })).toMatchObject({
      status: 'deleted',
      message: expect.stringContaining('5 minutes'),
    })
    expect(await listed(paid)).toEqual([])
    expect(databases.dropped).toEqual([])
    await instance.clock.advance(TICK)
    expect(databases.dropped).toEqual([databaseOf(token)])
  })

  // fidelity instanode/contracts, same: Under `observed`, GET and HEAD on a receive URL are deliveries.
  // fidelity instanode/contracts, same: Under `observed`, a receiver answers 405 to other methods than POST,
  // GET and HEAD.
  it('GET and HEAD on a receive URL are deliveries, other methods than POST are refused', async () => {
    const { client, instanode } = await observed()
    const { token, receive_url } = await createWebhook(await client())
    for (const method of ['POST', 'GET', 'HEAD']) {
      expect((await send(receive_url, { method })).status).toBe(200)
    }
    const refused = await send(receive_url, { method: 'PUT' })
    expect([refused.status, refused.headers.allow]).toEqual([405, 'GET, HEAD, POST'])
    const deliveries = await instanode.deliveries(token)
    expect(deliveries.map(({ method }) => method)).toEqual(['HEAD', 'GET', 'POST'])
  })

  // fidelity instanode/contracts, same: Under `observed`, a refusal of the service is plain text without
  // `isError`.
  it('a refusal of the service is plain text, and a refusal of the schema has isError', async () => {
    const { client } = await observed()
    const paid = await client(PAID)
    expect((await paid.listTools()).tools.every(tool => tool.outputSchema === undefined)).toBe(true)
    const refused = await call(paid, 'claim_token', { token: 'abc' })
    expect([refused.isError, textOf(refused)]).toEqual([
      undefined,
      expect.stringContaining('(400 invalid_token)'),
    ])
    expect((await call(paid, 'claim_token', { token: '' })).isError).toBe(true)
  })
})
