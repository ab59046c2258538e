import { describe, expect, it } from 'vitest'
import { concurrently } from '../../support/concurrently.js'
import {
  createPostgres,
  createWebhook,
  DAY,
  databaseOf,
  FREE,
  listed,
  listedTokens,
  PAID,
  PAID_2,
  startInstanode,
} from '../../support/servers/instanode.js'
import { ok, refused } from '../../support/servers/understudy.js'

const NOBODYS = '00000000-0000-4000-8000-000000000000'

describe('claim_token', () => {
  // fidelity instanode/claim, same: A claim by a free account sets the owner, and changes neither tier nor
  // expiry.
  // fidelity instanode/claim, same: The token is the capability. An account that has it can claim an
  // unclaimed resource.
  it('by a free account sets the owner, and changes neither tier nor expiry nor limits', async () => {
    const { client, databases } = await startInstanode()
    const made = await createPostgres(await client())
    const free = await client(FREE)
    expect(await listed(free)).toEqual([])
    expect(await ok(free, 'claim_token', { token: made.token })).toMatchObject({ tier: 'anonymous' })
    expect(await listed(free)).toMatchObject([{ token: made.token, expires_at: made.expires_at }])
    expect(databases.live.get(databaseOf(made.token))?.limits.connections).toBe(2)
  })

  // fidelity instanode/contracts, same: Under `documented`, a claim by a paid account raises a live database
  // to 500 MB and 5 connections at once.
  // fidelity instanode/claim, same: A claim by a paid account sets the tier `paid` and removes the expiry.
  it('by a paid account clears the expiry and raises the limits of the live database', async () => {
    const { client, databases, instance } = await startInstanode()
    const { token } = await createPostgres(await client())
    const paid = await client(PAID)
    expect(await ok(paid, 'claim_token', { token })).toMatchObject({ tier: 'paid' })
    expect(databases.live.get(databaseOf(token))?.limits).toEqual({
      storageBytes: 500 * 1024 * 1024,
      connections: 5,
    })
    await instance.clock.advance(30 * DAY)
    expect(await listed(paid)).toMatchObject([{ token, expires_at: null }])
    expect(databases.dropped).toEqual([])
  })

  // fidelity instanode/claim, same: A second claim by the owner has the same result.
  it('is idempotent for the owner', async () => {
    const { client } = await startInstanode()
    const { token } = await createPostgres(await client())
    const paid = await client(PAID)
    const first = await ok(paid, 'claim_token', { token })
    expect(await ok(paid, 'claim_token', { token })).toEqual(first)
    expect(await listedTokens(paid)).toEqual([token])
  })

  // fidelity instanode/claim, differs: Of several claims at once, the last writer owns the resource. Here:
  // One claim wins and the others look like claims of an unknown token, because a resource has one owner.
  it('of several accounts at once, exactly one succeeds', async () => {
    const { client, databases } = await startInstanode()
    const anonymous = await client()
    const [paid, second, free] = [await client(PAID), await client(PAID_2), await client(FREE)]
    for (let round = 0; round < 5; round++) {
      const { token } = await createPostgres(anonymous)
      const claims = [second, free, paid].map(who => ({ client: who, tool: 'claim_token', args: { token } }))
      const outcomes = await concurrently(claims)
      expect(outcomes.filter(({ refused }) => !refused)).toHaveLength(1)
      const unknown = await refused(free, 'claim_token', { token: NOBODYS })
      for (const { text } of outcomes.filter(({ refused }) => refused)) expect(text).toBe(unknown)
      const owners = await Promise.all([paid, second, free].map(who => listedTokens(who)))
      expect(owners.filter(tokens => tokens.includes(token))).toHaveLength(1)
    }
    expect(databases.live.size).toBe(5)
  })

  // fidelity instanode/claim, same: A claim is refused in the order no account, no UUID, unknown, dead,
  // foreign.
  // fidelity instanode/tiers, same: The row of an expired or deleted resource stays. A claim of it gets 410.
  it('refuses in the order of the service: no account, no UUID, unknown, dead, foreign', async () => {
    const { client, instance } = await startInstanode()
    const anonymous = await client()
    const [paid, second] = [await client(PAID), await client(PAID_2)]
    const { token: dead } = await createPostgres(anonymous)
    const { token: foreignDead } = await createPostgres(second)
    await ok(second, 'delete_resource', { token: foreignDead })
    await instance.clock.advance(DAY)
    const { token: foreign } = await createPostgres(second)

    expect(await refused(anonymous, 'claim_token', { token: 'no uuid' })).toContain('INSTANODE_TOKEN')
    expect(await refused(await client('nonsense'), 'claim_token', { token: 'no uuid' })).toContain(
      'INSTANODE_TOKEN',
    )
    expect(await refused(paid, 'claim_token', { token: 'no uuid' })).toContain('(400 invalid_token)')
    expect(await refused(paid, 'claim_token', { token: NOBODYS })).toContain('(404 not_found)')
    expect(await refused(paid, 'claim_token', { token: dead })).toContain('(410 resource_expired)')
    expect(await refused(paid, 'claim_token', { token: foreignDead })).toContain('(410 resource_expired)')
    expect(await refused(paid, 'claim_token', { token: foreign })).toContain('(404 not_found)')
  })
})

describe('delete_resource', () => {
  // fidelity instanode/contracts, same: Under `documented`, a deletion has dropped the database when it
  // answers.
  // fidelity instanode/delete, same: A deleted resource is not listed, and a claim of it gets 410.
  it('has dropped the database when it answers', async () => {
    const { client, databases } = await startInstanode()
    const paid = await client(PAID)
    const { token } = await createPostgres(paid)
    await ok(paid, 'delete_resource', { token })
    expect(databases.dropped).toEqual([databaseOf(token)])
    expect(await listed(paid)).toEqual([])
    expect(await refused(paid, 'delete_resource', { token })).toContain('(404 not_found)')
    expect(await refused(paid, 'claim_token', { token })).toContain('(410 resource_expired)')
  })

  // fidelity instanode/delete, same: The token is checked before the plan. A free account gets 400 for a
  // token that is no UUID.
  // fidelity instanode/mcp, same: The text for 403 has the upgrade link.
  it('is for paid accounts: a free account gets a link, and keeps its resources', async () => {
    const { client, databases } = await startInstanode()
    const free = await client(FREE)
    const { token } = await createPostgres(free)
    expect(await refused(free, 'delete_resource', { token })).toContain(
      `https://instanode.dev/pricing.html?token=${token}`,
    )
    expect(await refused(free, 'delete_resource', { token: 'no uuid' })).toContain('(400 invalid_token)')
    expect(await listedTokens(free)).toEqual([token])
    expect(databases.dropped).toEqual([])
  })

  // fidelity instanode/delete, same: Unknown, foreign, unclaimed, expired and deleted resources get the same
  // 404.
  it('gives one answer for unknown, foreign, unclaimed, expired and deleted resources', async () => {
    const { client, instance, databases } = await startInstanode()
    const anonymous = await client()
    const [paid, second] = [await client(PAID), await client(PAID_2)]
    const { token: expired } = await createWebhook(anonymous)
    await instance.clock.advance(DAY)
    const { token: unclaimed } = await createWebhook(anonymous)
    const { token: foreign } = await createWebhook(second)
    const { token: deleted } = await createWebhook(paid)
    await ok(paid, 'delete_resource', { token: deleted })

    const unknown = await refused(paid, 'delete_resource', { token: NOBODYS })
    expect(unknown).toContain('(404 not_found)')
    for (const token of [foreign, unclaimed, expired, deleted]) {
      expect(await refused(paid, 'delete_resource', { token })).toBe(unknown)
    }
    expect(await listedTokens(second)).toEqual([foreign])
    expect(databases.dropped).toEqual([])
  })

  it('of two at once for one resource, one succeeds', async () => {
    const { client, databases } = await startInstanode()
    const paid = await client(PAID)
    const { token } = await createPostgres(paid)
    const twice = [0, 1].map(() => ({ client: paid, tool: 'delete_resource', args: { token } }))
    const outcomes = await concurrently(twice)
    expect(outcomes.map(({ refused }) => refused).sort()).toEqual([false, true])
    expect(databases.dropped).toEqual([databaseOf(token)])
  })
})

// fidelity instanode/auth, same: The account tools refuse a caller without a token and name
// `INSTANODE_TOKEN`.
it('the four account tools name INSTANODE_TOKEN to a caller without one', async () => {
  const { client } = await startInstanode()
  const anonymous = await client()
  const token = NOBODYS
  for (const [tool, args] of [
    ['list_resources', {}],
    ['claim_token', { token }],
    ['delete_resource', { token }],
    ['get_api_token', {}],
  ] as const) {
    expect(await refused(anonymous, tool, args)).toMatch(new RegExp(`^${tool} failed: .*INSTANODE_TOKEN`))
  }
})

// fidelity instanode/list, same: An account sees its own resources in each session, and no others.
it('two sessions of one account see the same list, and another account does not', async () => {
  const { client } = await startInstanode()
  const { token } = await createPostgres(await client(PAID))
  expect(await listedTokens(await client(PAID))).toEqual([token])
  expect(await listedTokens(await client(PAID_2))).toEqual([])
})
