import { describe, expect, it } from 'vitest'
import { codeOf, connected, MB } from '../../support/databases/databases.js'
import {
  createPostgres,
  DAY,
  databaseOf,
  HOUR,
  listed,
  listedTokens,
  PAID,
  PAID_2,
  startInstanode,
} from '../../support/servers/instanode.js'
import { call, ok, textOf } from '../../support/servers/understudy.js'

const TICK = 5 * 60_000
const OVER = 10 * MB + 1

const observed = () => startInstanode({ contract: 'observed' })

describe('under the observed contract', () => {
  // fidelity instanode/postgres, same: Under `observed`, the whole size of a database counts, and 10 MB are
  // allowed.
  it('sizes are checked at ticks, and 10 MB is allowed', async () => {
    const { client, instance, databases } = await observed()
    const [full, over] = [await createPostgres(await client()), await createPostgres(await client(PAID))]
    databases.sizes.set(databaseOf(full.token), 10 * MB).set(databaseOf(over.token), OVER)
    expect(databases.live.get(databaseOf(full.token))?.limits.storageBytes).toBeNull()
    await instance.clock.advance(TICK - 1)
    expect(databases.blocked).toEqual([])
    await instance.clock.advance(1)
    expect(databases.blocked).toEqual([databaseOf(over.token)])
    await instance.clock.advance(DAY - TICK - 1)
    expect(databases.blocked).toHaveLength(1)
  })

  // fidelity instanode/tiers, same: A database over its quota has the status `quota_exceeded`.
  // fidelity instanode/postgres, same: A database with `quota_exceeded` stays in the list. It cannot be
  // claimed, deleted or used again.
  it('a database over its quota is listed, and stays locked', async () => {
    const { client, instance, databases } = await observed()
    const paid = await client(PAID)
    const { token } = await createPostgres(await client())
    const unclaimed = await createPostgres(await client())
    await ok(paid, 'claim_token', { token })
    for (const made of [token, unclaimed.token]) databases.sizes.set(databaseOf(made), OVER)
    await instance.clock.advance(TICK)
    databases.sizes.clear()
    for (const later of [0, TICK, 2 * DAY]) {
      await instance.clock.advance(later)
      expect(await listed(paid)).toMatchObject([{ token, status: 'quota_exceeded' }])
      for (const dead of [token, unclaimed.token])
        expect(textOf(await call(paid, 'claim_token', { token: dead }))).toContain('(410 resource_expired)')
      expect(textOf(await call(await client(PAID_2), 'claim_token', { token }))).toContain('(410')
      expect(textOf(await call(paid, 'delete_resource', { token }))).toContain('(404 not_found)')
    }
    expect(databases.dropped).toEqual([])
    expect(databases.blocked.sort()).toEqual([token, unclaimed.token].map(databaseOf).sort())
  })

  it('a database that is overdue and too large at one tick is removed', async () => {
    const { client, instance, databases } = await observed()
    const { token } = await createPostgres(await client())
    await instance.clock.advance(DAY - 1)
    databases.sizes.set(databaseOf(token), OVER)
    await instance.clock.advance(1)
    expect([databases.dropped, databases.blocked]).toEqual([[databaseOf(token)], []])
  })

  it('a database that cannot be locked is tried again at the next tick, and can be used until then', async () => {
    const { client, instance, databases } = await observed()
    const { token } = await createPostgres(await client())
    databases.sizes.set(databaseOf(token), OVER)
    databases.failing.block = new Error('the server is down')
    await instance.clock.advance(TICK)
    const paid = await client(PAID)
    await ok(paid, 'claim_token', { token })
    expect(await listed(paid)).toMatchObject([{ status: 'active' }])
    await instance.clock.advance(TICK)
    expect(databases.blocked).toEqual([databaseOf(token)])
  })

  it('one wake-up serves expiry and sizes, and none is left without a database', async () => {
    const { client, instance } = await observed()
    const before = instance.clock.pending
    for (let nth = 0; nth < 3; nth++) await createPostgres(await client())
    expect(instance.clock.pending).toBe(before + 1)
    await instance.clock.advance(DAY)
    expect(instance.clock.pending).toBe(before)
  })

  // fidelity instanode/contracts, same: Under `observed`, a database over its quota locks its owner out for
  // good at the next tick.
  it('a live database accepts writes until the tick locks the owner out', async () => {
    const { client, instance } = await startInstanode({ contract: 'observed', databases: 'embedded' })
    const paid = await client(PAID)
    const { token, connection_url } = await createPostgres(paid)
    await instance.clock.advance(HOUR)
    const session = await connected(connection_url)
    await session.query(
      `CREATE TABLE bulk AS SELECT repeat('x', 1000) AS body FROM generate_series(1, 12000)`,
    )
    await session.query('INSERT INTO bulk SELECT body FROM bulk')
    await instance.clock.advance(TICK)
    expect(await session.ended).toBe('57P01')
    expect(await codeOf(connected(connection_url))).toBe('42501')
    expect(await listed(paid)).toMatchObject([{ token, status: 'quota_exceeded' }])
    await instance.clock.advance(DAY)
    expect(await codeOf(connected(connection_url))).toBe('42501')
  })
})

describe('under the documented contract', () => {
  it('the provider measures the size of a database', async () => {
    const { client, instance, databases } = await startInstanode()
    const paid = await client(PAID)
    const { token } = await createPostgres(paid)
    databases.sizes.set(databaseOf(token), 1000 * MB)
    await instance.clock.advance(DAY)
    expect(databases.blocked).toEqual([])
    expect(await listedTokens(paid)).toEqual([token])
  })

  // fidelity instanode/contracts, same: Under `documented`, the quota counts growth. Writes beyond it fail
  // with 53100 until space is free.
  it('writes to a live database fail beyond its quota, and work again after space is freed', async () => {
    const { client, instance } = await startInstanode({ databases: 'embedded' })
    const { connection_url } = await createPostgres(await client())
    const session = await connected(connection_url)
    const fill = () =>
      session.query(`CREATE TABLE bulk AS SELECT repeat('x', 1000) AS body FROM generate_series(1, 12000)`)
    expect(await codeOf(fill())).toBe('53100')
    await session.query(`CREATE TABLE less AS SELECT repeat('x', 1000) AS body FROM generate_series(1, 8000)`)
    await instance.clock.advance(2 * TICK)
    expect(await codeOf(session.query('INSERT INTO less SELECT body FROM less'))).toBe('53100')
    await session.query('TRUNCATE less')
    await session.query(`INSERT INTO less VALUES ('room again')`)
    await session.end()
  })
})
