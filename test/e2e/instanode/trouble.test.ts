import { expect, it } from 'vitest'
import {
  createPostgres,
  databaseOf,
  listed,
  listedTokens,
  PAID,
  startInstanode,
} from '../../support/servers/instanode.js'
import { ok, refused } from '../../support/servers/understudy.js'

// fidelity instanode/http, same: A database that cannot be made leaves no resource behind.
it('a database that cannot be created leaves nothing behind, and the caller does not see the cause', async () => {
  const { client, databases } = await startInstanode()
  const paid = await client(PAID)
  databases.failing.provision = new Error('password is hunter2')
  const text = await refused(paid, 'create_postgres', { name: 'x' })
  expect(text).toContain('(503 provision_failed)')
  expect(text).not.toContain('hunter2')
  expect(await listed(paid)).toEqual([])
  await createPostgres(paid)
})

it('a claim whose limits cannot be raised has no effect, and can be repeated', async () => {
  const { client, databases } = await startInstanode()
  const { token } = await createPostgres(await client())
  const paid = await client(PAID)
  databases.failing.setLimits = new Error('down')
  await refused(paid, 'claim_token', { token })
  expect(await listed(paid)).toEqual([])
  await ok(paid, 'claim_token', { token })
  expect(await listedTokens(paid)).toEqual([token])
})

// fidelity instanode/delete, differs: A failure of the store gets 404. Here: A database that cannot be
// dropped gets an error and is dropped later, so that the caller knows the state.
it('a deletion whose database cannot be dropped yet reports it, and is completed later', async () => {
  const { client, databases, instance } = await startInstanode()
  const paid = await client(PAID)
  const { token } = await createPostgres(paid)
  databases.failing.drop = new Error('down')
  expect(await refused(paid, 'delete_resource', { token })).toContain('tries again')
  expect(await listed(paid)).toEqual([])
  await instance.clock.advance(60_000)
  expect(databases.dropped).toEqual([databaseOf(token)])
})
