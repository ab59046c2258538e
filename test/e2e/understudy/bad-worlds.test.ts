import { describe, expect, it } from 'vitest'
import type { World } from '../../../servers/understudy/index.js'
import { checkWorld } from '../../../shared/world/world.js'
import { Command } from '../../support/clients/command.js'
import { connected } from '../../support/databases/databases.js'
import { createPostgres, createWebhook, listed, PAID } from '../../support/servers/instanode.js'
import { startUnderstudy } from '../../support/servers/understudy.js'
import { dumpOf, textFile } from '../../support/servers/world.js'

describe('an invalid world', () => {
  const account = { id: 'a', plan: 'free', token: 't' }
  it.each([
    [
      'an unknown key',
      { acounts: [] },
      'world does not know "acounts": there are about, accounts, databases, receivers',
    ],
    [
      'an unknown key further in',
      { accounts: [{ ...account, colour: 1 }] },
      'world.accounts[0] does not know "colour": there are id, plan, token, userId',
    ],
    ['a plan that is none', { accounts: [{ ...account, plan: 'gold' }] }, 'world.accounts[0].plan is "gold"'],
    [
      'a time that is none',
      { receivers: [{ name: 'x', ago: '1 hour' }] },
      'world.receivers[0].ago is "1 hour"',
    ],
    ['months', { receivers: [{ name: 'x', ago: 'P1M' }] }, 'an ISO 8601 duration'],
    ['a key that is too short', { rooms: [{ id: 'ROOM', key: 'abc' }] }, 'expected 32 bytes in base64url'],
    ['an address that is none', { provisions: [{ from: 'here', count: 1 }] }, 'expected an IP address'],
    ['no object', [], 'world is []'],
  ])('%s is refused with its path', (_, given, expected) => {
    expect(() => checkWorld(given, 'world')).toThrow(expected)
  })

  it.each<[string, World, string]>([
    [
      'two accounts of one id',
      {
        accounts: [
          { id: 'a', plan: 'free' },
          { id: 'a', plan: 'paid' },
        ],
      },
      'world.accounts[1]: there is another account "a"',
    ],
    [
      'two accounts of one token',
      {
        accounts: [
          { id: 'a', plan: 'free', token: 't' },
          { id: 'b', plan: 'paid', token: 't' },
        ],
      },
      'world.accounts[1].token: the account a has the same token',
    ],
    [
      'an owner that is none',
      { receivers: [{ name: 'x', account: 'nobody' }] },
      'world.receivers[0].account: there is no account "nobody"',
    ],
    ['a name that is refused', { receivers: [{ name: ' ' }] }, 'world.receivers[0]: name is required'],
    [
      'more than the day’s cap',
      { provisions: [{ from: '192.0.2.1', count: 6 }] },
      'world.provisions[0]: this subnet has reached the cap of 5/day',
    ],
    [
      'a delivery before there was a receiver',
      { receivers: [{ name: 'x', ago: 'PT1H', deliveries: [{ ago: 'PT2H' }] }] },
      'world.receivers[0].deliveries[0].ago: the delivery is older than the receiver',
    ],
    [
      'a delivery after it was over',
      { receivers: [{ name: 'x', ago: 'P2D', deliveries: [{ ago: 'PT1H' }] }] },
      'world.receivers[0].deliveries[0].ago: the receiver had expired by then',
    ],
    [
      'both ago and left',
      { receivers: [{ name: 'x', ago: 'PT1H', left: 'PT1H' }] },
      'ago and left are both given',
    ],
    [
      'more left than there ever is',
      { receivers: [{ name: 'x', left: 'P2D' }] },
      'it is longer than the lifetime of a resource, which is 24h',
    ],
    [
      'a token twice',
      {
        receivers: [
          { name: 'x', token: 'aaaaaaaa-0000-4000-8000-000000000001' },
          { name: 'y', token: 'aaaaaaaa-0000-4000-8000-000000000001' },
        ],
      },
      'world.receivers[1].token: another resource has the same token',
    ],
    [
      'a room twice',
      { rooms: [{ id: 'ROOM' }, { id: 'ROOM' }] },
      'world.rooms[1].id: another room of the world has the same id',
    ],
    ['an id that names no room', { rooms: [{ id: 'x' }] }, 'world.rooms[0]: bad roomId'],
    [
      'more acknowledged than there is',
      {
        rooms: [
          {
            id: 'ROOM',
            messages: [{ sender: 'a', text: 'b' }],
            consumers: [{ handle: 'me', acknowledged: 2 }],
          },
        ],
      },
      'world.rooms[0].consumers[0]: at this time the room has no message number 2 for "me"',
    ],
    ['a reserved handle', { identities: [{ handle: 'admin' }] }, 'world.identities[0]: handle reserved'],
  ])('%s is refused, and nothing changes', async (_, world, expected) => {
    const understudy = await startUnderstudy()
    const account = await understudy.instanode.connect({ token: PAID })
    await createWebhook(account)
    const before = await dumpOf(understudy)
    await expect(understudy.reset({ world })).rejects.toMatchObject({
      code: 'bad_world',
      message: expect.stringContaining(expected),
    })
    expect(await dumpOf(understudy)).toBe(before)
    expect(understudy.journal.entries({ tool: 'create_webhook' })).toHaveLength(1)
    await expect(startUnderstudy({ world })).rejects.toMatchObject({ code: 'bad_world' })
  })

  it('with SQL that fails is refused with its place, and the earlier databases are restored', async () => {
    const understudy = await startUnderstudy()
    const account = await understudy.instanode.connect({ token: PAID })
    const { connection_url } = await createPostgres(account)
    const client = await connected(connection_url)
    await client.query('CREATE TABLE t AS SELECT 7 AS x')
    await client.end()
    const world: World = { databases: [{ name: 'good' }, { name: 'bad', sql: ['SELECT 1', 'SELEC 2'] }] }
    await expect(understudy.reset({ world })).rejects.toMatchObject({
      code: 'bad_world',
      message: 'world.databases[1].sql: the SQL fails with 42601 syntax error at or near "SELEC"',
    })
    expect(await listed(account)).toHaveLength(1)
    const again = await connected(connection_url)
    expect(await again.value('SELECT x FROM t')).toBe(7)
    await again.end()
  })

  it('with an unknown name is refused, with the known names', async () => {
    const understudy = await startUnderstudy()
    await expect(understudy.reset({ world: 'crowded' })).rejects.toMatchObject({
      code: 'unknown_world',
      reason: 'there is no world "crowded"',
      hint: expect.stringContaining('busy, default, empty, multi-tenant, near-limits'),
    })
  })

  it.each([
    ['world.yaml', 'accounts: !!js/function x', 'Unresolved tag'],
    ['world.yaml', 'a: 1\na: 2', 'Map keys must be unique'],
    ['world.yaml', bomb(), 'Excessive alias count'],
    ['world.json', '{"accounts": [],}', 'cannot be read'],
  ])('in a file %s with %j is refused', async (name, text, expected) => {
    await expect(startUnderstudy({ world: textFile(name, text) })).rejects.toMatchObject({
      code: 'unreadable_world',
      message: expect.stringContaining(expected),
    })
  })
})

describe('understudy --world', () => {
  it('starts with the world', async () => {
    const path = textFile(
      'world.json',
      JSON.stringify({ accounts: [{ id: 'me', plan: 'paid', token: 'my-token' }] }),
    )
    const command = new Command(['up', '--safebot-port', '0', '--json', '--world', path])
    expect(JSON.parse((await command.lines(1))[0] ?? '').accounts).toEqual([
      { id: 'me', plan: 'paid', token: 'my-token' },
    ])
  })

  it.each([
    ['up', 'nowhere', 2, /--world: there is no world "nowhere": there are busy, default/],
    ['safebot', './nowhere.json', 1, /the world \.\/nowhere\.json cannot be read: ENOENT/],
    [
      'instanode',
      'colour.yaml',
      1,
      /colour\.yaml: world\.rooms\[0\] does not know "colour": there are id, key/,
    ],
  ])('%s with %s is refused in one sentence', async (name, world, code, expected) => {
    const {
      code: given,
      stdout,
      stderr,
    } = await new Command([
      ...[name, '--world'],
      world === 'colour.yaml' ? textFile(world, 'rooms: [{colour: red}]') : world,
    ]).exit
    expect([given, stdout]).toEqual([code, ''])
    expect(stderr.trimEnd()).toMatch(expected)
    expect(stderr.trimEnd()).not.toContain('\n')
  })
})

/** A few lines that stand for a million values. */
function bomb(): string {
  const lines = ['a: &a [x,x,x,x,x,x,x,x,x,x]']
  for (const [of, letter] of [
    ['a', 'b'],
    ['b', 'c'],
    ['c', 'd'],
  ]) {
    lines.push(`${letter}: &${letter} [${Array(10).fill(`*${of}`).join(',')}]`)
  }
  return lines.join('\n')
}
