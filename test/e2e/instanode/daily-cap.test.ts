import { describe, expect, it } from 'vitest'
import { rpc, send } from '../../support/clients/raw-http.js'
import {
  createPostgres,
  createWebhook,
  DAY,
  FREE,
  HOUR,
  PAID,
  type RunningInstanode,
  startInstanode,
} from '../../support/servers/instanode.js'
import { call, refused } from '../../support/servers/understudy.js'

/** Uses up the cap of an address. */
async function exhaust({ client }: RunningInstanode, address: string): Promise<void> {
  const caller = await client(undefined, address)
  for (let nth = 1; nth <= 5; nth++) await createWebhook(caller, `nth ${nth}`)
  expect(await refused(caller, 'create_webhook', { name: 'sixth' })).toContain(
    '5 anonymous provisions per day',
  )
}

describe('the daily cap', () => {
  // fidelity instanode/cap, same: One counter counts databases and receivers.
  // fidelity instanode/mcp, same: The text for 429 names the cap.
  it('is five a day, both types counted together', async () => {
    const { client, databases } = await startInstanode()
    const caller = await client()
    for (let nth = 1; nth <= 3; nth++) await createPostgres(caller)
    for (let nth = 4; nth <= 5; nth++) await createWebhook(caller)
    expect(await refused(caller, 'create_postgres', { name: 'six' })).toContain('cap of 5')
    expect(await refused(caller, 'create_webhook', { name: 'six' })).toContain('cap of 5')
    expect(databases.live.size).toBe(3)
  })

  // fidelity instanode/cap, same: The cap is counted by /24 of IPv4 and /48 of IPv6. An IPv4 address in IPv6
  // spelling counts as IPv4.
  it.each([
    ['203.0.113.1', '203.0.113.254', 'shared by a /24'],
    ['203.0.113.1', '::ffff:203.0.113.9', 'shared by an IPv4 address in IPv6 spelling'],
    ['2001:db8:7::1', '2001:db8:7:abcd::2', 'shared by a /48'],
  ])('of %s and %s is %s', async (one, other) => {
    const running = await startInstanode()
    await exhaust(running, one)
    expect(
      (await call(await running.client(undefined, other), 'create_webhook', { name: 'x' })).isError,
    ).toBe(true)
  })

  it.each([
    ['203.0.113.1', '203.0.114.1'],
    ['2001:db8:7::1', '2001:db8:8::1'],
  ])('of %s is not that of its neighbour %s', async (one, other) => {
    const running = await startInstanode()
    await exhaust(running, one)
    await createWebhook(await running.client(undefined, other))
  })

  // fidelity instanode/cap, same: The cap is lifted at midnight UTC, and not after 24 hours.
  it('is lifted at UTC midnight, not after 24 hours', async () => {
    const running = await startInstanode({ clock: 'manual@2026-03-01T23:59:59.999Z' })
    await exhaust(running, '203.0.113.1')
    const caller = await running.client(undefined, '203.0.113.1')
    await running.instance.clock.advance(1)
    await createWebhook(caller)
    await running.instance.clock.advance(DAY - HOUR)
    for (let nth = 2; nth <= 5; nth++) await createWebhook(caller)
    expect((await call(caller, 'create_webhook', { name: 'x' })).isError).toBe(true)
  })

  // fidelity instanode/cap, same: Creations of accounts do not count and are not capped.
  it('does not apply to accounts', async () => {
    const { client } = await startInstanode()
    for (const token of [FREE, PAID]) {
      const account = await client(token)
      for (let nth = 1; nth <= 6; nth++) await createWebhook(account)
    }
    await createWebhook(await client())
  })

  // fidelity instanode/cap, same: A creation that fails counts. A refused name does not.
  it('counts a database that could not be made, and does not count a refused name', async () => {
    const { client, databases } = await startInstanode()
    const caller = await client()
    for (let nth = 1; nth <= 7; nth++) await refused(caller, 'create_webhook', { name: ' ' })
    databases.failing.provision = new Error('no more disk')
    expect(await refused(caller, 'create_postgres', { name: 'x' })).toContain('(503 provision_failed)')
    for (let nth = 2; nth <= 5; nth++) await createWebhook(caller)
    expect((await call(caller, 'create_webhook', { name: 'x' })).isError).toBe(true)
  })

  // fidelity instanode/cap, same: Of many creations at once, five pass.
  // fidelity instanode/cap, absent: If the counter is lost, the service counts rows. Here: It does not,
  // because the counter is in the same store as the rows.
  it('lets five of many concurrent creations pass', async () => {
    const { client } = await startInstanode()
    const caller = await client()
    const results = await Promise.all(
      Array.from({ length: 20 }, () => call(caller, 'create_webhook', { name: 'rush' })),
    )
    expect(results.filter(({ isError }) => !isError)).toHaveLength(5)
  })

  // fidelity instanode/http, same: A creation checks the name, then the caller, then the cap.
  it('checks the name before the caller, and the caller before the cap', async () => {
    const running = await startInstanode()
    await exhaust(running, '203.0.113.1')
    const forged = await running.client('forged', '203.0.113.1')
    expect(await refused(forged, 'create_webhook', { name: ' ' })).toContain('(400 name_required)')
    expect(await refused(forged, 'create_webhook', { name: 'x' })).toContain('INSTANODE_TOKEN')
  })

  // fidelity instanode/cap, same: The first address in `X-Forwarded-For` counts.
  it('counts the first of several forwarded addresses', async () => {
    const running = await startInstanode()
    await exhaust(running, '203.0.113.1, 198.51.100.1')
    await createWebhook(await running.client(undefined, '198.51.100.1, 203.0.113.1'))
  })

  it('applies to a caller in memory and to one without a session', async () => {
    const running = await startInstanode()
    await exhaust(running, '127.0.0.1')
    const inMemory = await running.instanode.connect()
    expect((await call(inMemory, 'create_webhook', { name: 'x' })).isError).toBe(true)
    await createWebhook(await running.instanode.connect({ address: '203.0.113.1' }))
    const body = rpc('tools/call', { name: 'create_webhook', arguments: { name: 'x' } })
    expect((await send(`${running.url}/mcp`, { body })).json).toMatchObject({ result: { isError: true } })
  })
})
