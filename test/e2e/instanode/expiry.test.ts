import { expect, it } from 'vitest'
import { send } from '../../support/clients/raw-http.js'
import {
  createPostgres,
  createWebhook,
  DAY,
  databaseOf,
  FREE,
  listedTokens,
  PAID,
  startInstanode,
} from '../../support/servers/instanode.js'
import { ok, refused } from '../../support/servers/understudy.js'

// fidelity instanode/list, same: The list does not show an expired resource.
// fidelity instanode/contracts, same: Under `documented`, a resource is gone at `expires_at`, and works until
// the millisecond before.
it('a resource works until its last millisecond, and is gone at expires_at', async () => {
  const { client, instance, databases } = await startInstanode()
  const free = await client(FREE)
  const database = await createPostgres(free)
  const hook = await createWebhook(free)

  expect(await instance.clock.advance(DAY - 1)).toBe(Date.parse(database.expires_at ?? '') - 1)
  expect(await listedTokens(free)).toEqual([hook.token, database.token])
  expect((await send(hook.receive_url)).status).toBe(200)
  expect(databases.dropped).toEqual([])

  await instance.clock.advance(1)
  expect(databases.dropped).toEqual([databaseOf(database.token)])
  expect(await listedTokens(free)).toEqual([])
  expect((await send(hook.receive_url)).status).toBe(410)
  expect((await send(hook.receive_url, { method: 'GET' })).status).toBe(410)
  for (const { token } of [database, hook]) {
    expect(await refused(free, 'claim_token', { token })).toContain('(410 resource_expired)')
  }
})

it('one wake-up of the clock serves all resources, each at its own instant', async () => {
  const { client, instance, databases } = await startInstanode()
  const anonymous = await client()
  const before = instance.clock.pending
  const first = await createPostgres(anonymous)
  await instance.clock.advance(DAY / 2)
  const second = await createPostgres(anonymous)
  expect(instance.clock.pending).toBe(before + 1)
  await instance.clock.advance(DAY / 2)
  expect(databases.dropped).toEqual([databaseOf(first.token)])
  await instance.clock.advance(DAY / 2)
  expect(databases.dropped).toEqual([first, second].map(({ token }) => databaseOf(token)))
  expect(instance.clock.pending).toBe(before)
})

it('a paid claim in the last millisecond keeps it', async () => {
  const { client, instance, databases } = await startInstanode()
  const { token } = await createPostgres(await client())
  const paid = await client(PAID)
  await instance.clock.advance(DAY - 1)
  await ok(paid, 'claim_token', { token })
  await instance.clock.advance(DAY)
  expect(await listedTokens(paid)).toEqual([token])
  expect(databases.dropped).toEqual([])
})

it('a receiver that has expired keeps no deliveries', async () => {
  const { client, instance, instanode } = await startInstanode()
  const { token, receive_url } = await createWebhook(await client())
  await send(receive_url, { body: 'x' })
  expect(await instanode.deliveries(token)).toHaveLength(1)
  await instance.clock.advance(DAY)
  expect(await instanode.deliveries(token)).toEqual([])
})

it('a database that cannot be dropped is expired nevertheless, and is dropped a minute later', async () => {
  const { client, instance, databases } = await startInstanode()
  const free = await client(FREE)
  const { token } = await createPostgres(free)
  databases.failing.drop = new Error('the disk is on fire')
  await instance.clock.advance(DAY)
  expect(await listedTokens(free)).toEqual([])
  expect(databases.dropped).toEqual([])
  await instance.clock.advance(60_000)
  expect(databases.dropped).toEqual([databaseOf(token)])
})
