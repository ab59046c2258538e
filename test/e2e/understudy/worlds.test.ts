import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { World } from '../../../servers/understudy/index.js'
import { dataOf } from '../../../servers/understudy/state.js'
import { DEFAULT_WORLD } from '../../../shared/world/default-world.js'
import { checkWorld } from '../../../shared/world/world.js'
import { send } from '../../support/clients/raw-http.js'
import { claim, claimNow, createRoom, say, transcript } from '../../support/clients/room.js'
import { codeOf, connected } from '../../support/databases/databases.js'
import { RecordingDatabases } from '../../support/databases/recording-databases.js'
import { createWebhook, DAY, FREE, listed, PAID } from '../../support/servers/instanode.js'
import { call, ok, refused, startUnderstudy } from '../../support/servers/understudy.js'
import { dumpOf, textFile } from '../../support/servers/world.js'

const FIXTURES = join(import.meta.dirname, '../../../fixtures/worlds')
const NAMES = readdirSync(FIXTURES).flatMap(file => /^(.*)\.json$/.exec(file)?.[1] ?? [])
const CONTRACTS = ['documented', 'observed'] as const

describe('the built-in worlds', () => {
  it('are five', () => {
    expect(NAMES.sort()).toEqual(['busy', 'default', 'empty', 'multi-tenant', 'near-limits'])
  })

  it('default is the world of an instance without the option', () => {
    expect(JSON.parse(readFileSync(join(FIXTURES, 'default.json'), 'utf8'))).toEqual(DEFAULT_WORLD)
  })

  it.each(CONTRACTS.flatMap(contract => NAMES.map(world => [world, contract] as const)))(
    '%s has the %s contract, and is the same again with the same seed and after a reset',
    async (world, contract) => {
      const options = () => ({ world, contract, databases: new RecordingDatabases() })
      // The recording databases run no SQL.
      const [one, other] = await Promise.all([startWithoutSql(options()), startWithoutSql(options())])
      const dump = await dumpOf(one)
      expect(await dumpOf(other)).toBe(dump)
      await one.clock.advance(DAY)
      const agent = await one.safebot.connect()
      await say(agent, await createRoom(agent), 'hello')
      await agent.close()
      await one.reset()
      expect(await dumpOf(one)).toBe(dump)
    },
  )

  it('empty has no accounts: every bearer is refused', async () => {
    const understudy = await startUnderstudy({ world: 'empty' })
    const caller = await understudy.instanode.connect({ token: PAID })
    expect(await refused(caller, 'list_resources')).toContain('not valid')
    expect(await understudy.instanode.accounts()).toEqual([])
  })

  it('busy has databases with data, receivers with deliveries, and rooms with claimed tasks', async () => {
    const understudy = await startUnderstudy({ world: 'busy' })
    const account = await understudy.instanode.connect({ token: PAID })
    const resources = await listed(account)
    expect(resources.map(({ name }) => name)).toEqual(['ci', 'orders'])
    const [hook] = resources
    expect(await understudy.instanode.deliveries(hook?.token ?? '')).toHaveLength(13)

    const builder = await understudy.safebot.connect({ handle: 'builder' })
    const url = understudy.safebot.roomUrl('BUILDS')
    expect(await transcript(builder, url)).toEqual([
      ...['build main', 'build release', 'deploy release', 'announce release'],
    ])
    const leased = await claimNow(builder, url)
    expect(leased.text).toBe('deploy release')
    await understudy.clock.advance(40_001)
    expect((await claimNow(builder, url)).claimId).not.toBe(leased.claimId)
    const announcer = await understudy.safebot.connect({ handle: 'announcer' })
    expect((await claimNow(announcer, url)).text).toBe('announce release')
  })

  it('multi-tenant has tenants that do not see each other', async () => {
    const understudy = await startUnderstudy({ world: 'multi-tenant' })
    const acme = await understudy.instanode.connect({ token: 'acme-token' })
    expect((await listed(acme)).map(({ name }) => name)).toEqual(['acme hook', 'acme ledger'])
    const foreign = { token: 'bbbbbbbb-0000-4000-8000-000000000001' }
    expect(await refused(acme, 'delete_resource', foreign)).toContain('no such resource')
    expect(await refused(acme, 'claim_token', foreign)).toContain('no such resource')
    await ok(acme, 'claim_token', { token: 'dddddddd-0000-4000-8000-000000000002' })
  })

  it('near-limits is one step from each limit', async () => {
    const understudy = await startUnderstudy({ world: 'near-limits' })
    const { instanode, safebot, clock } = understudy
    const nearCap = await instanode.connect({ address: '203.0.113.99' })
    await createWebhook(nearCap)
    expect((await call(nearCap, 'create_webhook', { name: 'x' })).isError).toBe(true)

    const account = await instanode.connect({ token: FREE })
    const byName = new Map(
      (await listed(account)).map(resource => [`${resource.type} ${resource.name}`, resource]),
    )
    const full = byName.get('webhook nearly full')?.token ?? ''
    expect(await instanode.deliveries(full)).toHaveLength(99)
    for (const body of ['x', 'y']) await send(`${instanode.apiUrl}/webhook/receive/${full}`, { body })
    const kept = (await instanode.deliveries(full)).map(({ body }) => body.toString())
    expect([kept.length, kept.includes('the oldest')]).toEqual([100, false])

    const worker = await safebot.connect({ handle: 'worker' })
    const held = await claimNow(worker, safebot.roomUrl('LEASE1'))
    await clock.advance(1001)
    expect((await claimNow(worker, safebot.roomUrl('LEASE1'))).claimId).not.toBe(held.claimId)

    const feed = safebot.roomUrl('FULL01')
    expect((await claimNow(worker, feed)).text).toBe('the oldest')
    for (const text of ['the last that fits', 'one too many']) await say(worker, feed, text)
    expect(await ok(worker, 'room_status', { url: feed })).toMatchObject({ status: { recent_count: 2000 } })
    expect((await claimNow(worker, feed)).text).toBe('another')

    await clock.advance(60_000)
    expect((await listed(account)).map(({ name }) => name)).not.toContain('nearly over')
  })

  it('near-limits has a database with little space left', async () => {
    const understudy = await startUnderstudy({ world: 'near-limits' })
    const made = JSON.stringify(dataOf(await understudy.snapshot()))
    const client = await connected(/postgres:[^"]*/.exec(made)?.[0] ?? '')
    await client.query(`INSERT INTO filler VALUES ('one more')`)
    const much = client.query(`INSERT INTO filler SELECT repeat('y', 1900) FROM generate_series(1, 1000)`)
    expect(await codeOf(much)).toBe('53100')
    await client.end()
  })
})

describe('a user’s own world', () => {
  it('is given as data, with times relative to the start', async () => {
    const world: World = {
      accounts: [{ id: 'me', plan: 'paid', token: 'my-token' }],
      receivers: [
        { name: 'old', account: 'me', ago: 'P30D' },
        { name: 'young', account: 'me', ago: 'PT1H' },
      ],
      rooms: [{ id: 'MINE', messages: [{ sender: 'boss', text: 'do it', ago: 'PT90S' }] }],
    }
    const understudy = await startUnderstudy({ world })
    const account = await understudy.instanode.connect({ token: 'my-token' })
    expect((await listed(account)).map(({ name, created_at }) => [name, created_at])).toEqual([
      ['young', '2025-12-31T23:00:00.000Z'],
      ['old', '2025-12-02T00:00:00.000Z'],
    ])
    const agent = await understudy.safebot.connect()
    const url = understudy.safebot.roomUrl('MINE')
    expect(await ok(agent, 'room_status', { url })).toMatchObject({ status: { age_seconds: 90 } })
    expect((await claim(agent, url))?.text).toBe('do it')
  })

  it("changes as time passes: free resources expire after 24 hours, and today's creations count", async () => {
    const receivers = ['P2D', 'PT0S', 'PT0S', 'PT0S', 'PT0S'].map((ago, nth) => ({ name: `${nth}`, ago }))
    const understudy = await startUnderstudy({ world: { receivers } })
    const caller = await understudy.instanode.connect()
    await createWebhook(caller)
    expect((await call(caller, 'create_webhook', { name: 'sixth' })).isError).toBe(true)
    expect(await dumpOf(understudy)).toContain('"status":"expired"')
  })

  it('can be YAML', async () => {
    const path = textFile(
      'world.yaml',
      'accounts:\n  - {id: me, plan: free, token: &t my-token}\nrooms:\n  - id: *t\n',
    )
    const understudy = await startUnderstudy({ world: path })
    expect(await understudy.instanode.accounts()).toMatchObject([{ id: 'me', fixedToken: 'my-token' }])
    expect(understudy.safebot.roomUrl('my-token')).toMatch(/\/room\/my-token#k=[\w-]{43}$/)
  })

  it('shows the URLs of its rooms, and names them if another is requested', async () => {
    const understudy = await startUnderstudy({
      world: 'multi-tenant',
      databases: new RecordingDatabases(),
    }).catch(() => startUnderstudy({ world: { rooms: [{ id: 'ACME01' }, { id: 'GLOBEX1' }] } }))
    expect(() => understudy.safebot.roomUrl('NOWHERE')).toThrow('the world has no room "NOWHERE"')
  })
})

/** Starts a named world but for its SQL, which databases that are only recorded cannot run. */
function startWithoutSql({
  world,
  ...options
}: {
  world: string
  contract: 'documented' | 'observed'
  databases: RecordingDatabases
}) {
  const data: World = checkWorld(JSON.parse(readFileSync(join(FIXTURES, `${world}.json`), 'utf8')), 'world')
  const databases = data.databases?.map(({ sql: _, ...database }) => database)
  return startUnderstudy({ ...options, world: { ...data, ...(databases && { databases }) } })
}
