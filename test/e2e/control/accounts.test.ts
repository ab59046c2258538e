import { describe, expect, it } from 'vitest'
import { startControlled } from '../../support/clients/control.js'
import {
  createPostgres,
  createWebhook,
  DAY,
  databaseOf,
  FREE,
  HOUR,
  listed,
} from '../../support/servers/instanode.js'
import { ok, refused } from '../../support/servers/understudy.js'

describe('an account that is upgraded', () => {
  // fidelity instanode/tiers, differs: A payment makes the active resources of the account paid, without
  // expiry. Here: `POST /accounts/:id` of the control plane does it, because the stand-in takes no payments.
  // fidelity instanode/tiers, differs: A payment does not change the limits of a live database. Here: Under
  // `documented` the limits rise at once, because the published limits hold for each paid resource.
  // fidelity instanode/auth, same: The plan of the caller is read at each call.
  it('keeps its resources without expiry, at paid limits', async () => {
    const { control, u, databases } = await startControlled()
    const agent = await u.instanode.connect({ token: FREE })
    const database = await createPostgres(agent)
    const hook = await createWebhook(agent)
    expect(await control.setPlan('acct_free', 'paid')).toEqual({
      id: 'acct_free',
      plan: 'paid',
      token: '[masked]',
    })
    expect((await listed(agent)).map(({ token, tier, expires_at }) => [token, tier, expires_at])).toEqual([
      [hook.token, 'paid', null],
      [database.token, 'paid', null],
    ])
    expect(databases.live.get(databaseOf(database.token))?.limits).toEqual({
      storageBytes: 500 * 1024 * 1024,
      connections: 5,
    })
    await control.clock.advance(30 * DAY)
    expect(await listed(agent)).toHaveLength(2)
    await ok(agent, 'delete_resource', { token: hook.token })
    expect((await createPostgres(agent)).tier).toBe('paid')
  })

  // fidelity instanode/tiers, same: Only under `observed`, a payment does not change the limits of a live
  // database.
  it('keeps the free limits under the observed contract, without expiry', async () => {
    const { control, u, databases } = await startControlled({ contract: 'observed' })
    const { token } = await createPostgres(await u.instanode.connect())
    const agent = await u.instanode.connect({ token: FREE })
    await ok(agent, 'claim_token', { token })
    await control.setPlan('acct_free', 'paid')
    expect(databases.live.get(databaseOf(token))?.limits.connections).toBe(2)
    expect(await listed(agent)).toMatchObject([{ tier: 'paid', expires_at: null }])
  })

  it('is unchanged if the limits of a database cannot be changed', async () => {
    const { control, u, databases } = await startControlled()
    const agent = await u.instanode.connect({ token: FREE })
    const hook = await createWebhook(agent)
    const database = await createPostgres(agent)
    const before = await listed(agent)
    databases.failing.setLimits = new Error('the engine is down')
    await expect(control.setPlan('acct_free', 'paid')).rejects.toMatchObject({
      status: 500,
      code: 'internal_error',
    })
    expect(await listed(agent)).toEqual(before)
    expect(await refused(agent, 'delete_resource', { token: hook.token })).toContain('paid')
    await control.clock.advance(DAY)
    expect(databases.dropped).toEqual([databaseOf(database.token)])
  })
})

describe('an account that is downgraded', () => {
  // fidelity instanode/http, differs: At the end of a subscription, permanent resources get 168 hours and
  // keep their tier. Here: `POST /accounts/:id` of the control plane ends it, because the stand-in has no
  // subscriptions.
  it('keeps permanent resources for 168 hours, with their tier', async () => {
    const { control, u, databases } = await startControlled()
    const agent = await u.instanode.connect({ token: 'understudy-paid-token' })
    const { token } = await createPostgres(agent)
    await control.setPlan('acct_paid', 'free')
    expect(await listed(agent)).toMatchObject([
      { tier: 'paid', expires_at: expect.stringMatching(/^2026-01-08T00:00:00/) },
    ])
    expect(await refused(agent, 'delete_resource', { token })).toContain('paid')
    await control.clock.advance(168 * HOUR - 1)
    expect(databases.dropped).toEqual([])
    await control.clock.advance(1)
    expect(databases.dropped).toEqual([databaseOf(token)])
    expect(await listed(agent)).toEqual([])
  })

  it('has permanent resources again if it is upgraded in time', async () => {
    const { control, u, databases } = await startControlled()
    const agent = await u.instanode.connect({ token: 'understudy-paid-token' })
    await createPostgres(agent)
    await control.setPlan('acct_paid', 'free')
    await control.clock.advance(100 * HOUR)
    await control.setPlan('acct_paid', 'paid')
    await control.clock.advance(100 * HOUR)
    expect([databases.dropped, await listed(agent)]).toMatchObject([[], [{ expires_at: null }]])
  })

  it('keeps temporary resources for exactly as long as before', async () => {
    const { control, u } = await startControlled()
    const agent = await u.instanode.connect({ token: FREE })
    const { expires_at } = await createPostgres(agent)
    await control.setPlan('acct_free', 'free')
    expect((await listed(agent))[0]?.expires_at?.slice(0, 19)).toBe(expires_at?.slice(0, 19))
  })
})

it('an unknown account is refused, with the known accounts', async () => {
  const { control } = await startControlled()
  await expect(control.setPlan('acct/none', 'paid')).rejects.toMatchObject({
    ...{ status: 404, code: 'unknown_account', message: expect.stringContaining('"acct/none"') },
    hint: expect.stringContaining('acct_paid_2'),
  })
})
