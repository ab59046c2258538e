import { describe, expect, onTestFinished, test } from 'vitest'
import { Clock } from '../../../shared/clock/clock.js'
import { StoreDatabase } from '../../../shared/records/store-database.js'
import { readStoreUrl } from '../../../shared/records/store-url.js'
import { silentLog } from '../../../shared/util/log.js'
import { useStores } from '../../support/databases/store.js'
import { until } from '../../support/until.js'

/** The journal's table stands for any that a transaction of the store writes to. */
const LOST = 'SELECT lost FROM journal ORDER BY place'
const ADD = 'INSERT INTO journal (replica, lost) VALUES (0, $1)'
/** Two of them lock each other's rows in another order. */
const LOCK = 'UPDATE journal SET lost = lost + 1 WHERE lost >= $1 AND lost < $1 + 10 RETURNING lost'
const LIVE = 'SELECT number FROM live_replicas ORDER BY number'

const stores = useStores()

async function open(url: string): Promise<StoreDatabase> {
  const machine = new Clock()
  const store = await StoreDatabase.open({ url, machine, log: silentLog })
  onTestFinished(async () => {
    await store.close()
    machine.close()
  })
  return store
}

describe('opening a store', () => {
  test('succeeds for ten replicas at once on an empty database: each finds the complete schema', async () => {
    const url = stores.freshUrl()
    const opened = await Promise.all(Array.from({ length: 10 }, () => open(url)))
    expect(opened.map(({ replica }) => replica).toSorted((a, b) => a - b)).toEqual([
      1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
    ])
    await opened[3]?.write(ADD, [3])
    expect(await opened[7]?.read(LOST)).toEqual([{ lost: 3 }])
  })

  test.each([
    ['a newer version', 'records-5', 'store_newer', 'use that version'],
    ['an older version', 'base-1', 'store_older', 'DROP SCHEMA'],
    ['an older version', 'records-3', 'store_older', 'DROP SCHEMA'],
  ])('refuses a schema that %s has created, and does not change it', async (_, name, code, remedy) => {
    const url = stores.freshUrl()
    await open(url)
    const migrations = `${stores.schemaOf(url)}.migrations`
    await stores.run(`UPDATE ${migrations} SET name = $1`, [name])
    await expect(open(url)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(new RegExp(`${name}.*${remedy}`)),
    })
    expect(await stores.run(`SELECT name FROM ${migrations}`)).toEqual([{ name }])
  })

  test('refuses a schema with foreign tables, and does not change it', async () => {
    const url = stores.freshUrl()
    const schema = stores.schemaOf(url)
    await stores.run(`CREATE SCHEMA ${schema}`)
    await stores.run(`CREATE TABLE ${schema}.theirs (id int)`)
    await expect(open(url)).rejects.toMatchObject({ code: 'store_foreign' })
    const tables = await stores.run('SELECT tablename FROM pg_tables WHERE schemaname = $1', [schema])
    expect(tables).toEqual([{ tablename: 'theirs' }])
  })

  test('tells a role without rights what to ask its administrator for', async () => {
    const url = new URL(stores.freshUrl())
    const role = `poor_${stores.schemaOf(url.href)}`
    await stores.run(`CREATE ROLE ${role} LOGIN PASSWORD 'poor'`)
    url.username = role
    url.password = 'poor'
    await expect(open(url.href)).rejects.toMatchObject({
      code: 'store_rights',
      message: expect.stringContaining(stores.schemaOf(url.href)),
    })
    expect(
      await stores.run('SELECT FROM pg_namespace WHERE nspname = $1', [stores.schemaOf(url.href)]),
    ).toEqual([])
    await stores.run(`DROP ROLE ${role}`)
  })

  test('reports an unreachable server or a wrong password without the password', async () => {
    await expect(open('postgres://u:hunter2@127.0.0.1:1/db')).rejects.toMatchObject({
      code: 'store_down',
      message: expect.stringMatching(/^(?!.*hunter2).*127\.0\.0\.1:1\/db/),
    })
    const url = new URL(stores.freshUrl())
    url.username = 'nobody_at_all'
    url.password = 'hunter2'
    await expect(open(url.href)).rejects.toMatchObject({ code: 'store_down' })
  })

  test.each([
    ['mysql://host/db', 'no URL of a PostgreSQL'],
    ['postgres://host:99999/db', 'no URL of a PostgreSQL'],
    ['postgres://host/db?schema=Drop%20table', 'schema'],
    ['postgres://host/db?pool=0', 'pool'],
    ['postgres://host/db?pool=many', 'pool'],
  ])('refuses %s as a store', (url, why) => {
    expect(() => readStoreUrl(url)).toThrow(why)
  })

  test('takes schema, pool size and libpq options from the URL', () => {
    const { schema, pool, shown, config } = readStoreUrl(
      'postgres://u:p@h:5/d?search_path=team&pool=3&sslmode=disable',
    )
    expect({ schema, pool, shown }).toEqual({ schema: 'team', pool: 3, shown: 'h:5/d' })
    expect(config.connectionString).toContain('sslmode=disable')
  })
})

describe('a transaction', () => {
  test('stores nothing if it throws, or if a statement that it sent ahead fails', async () => {
    const store = await open(stores.freshUrl())
    const failing = store.transaction(async tx => {
      await tx.query(ADD, [1])
      throw new Error('changed my mind')
    })
    await expect(failing).rejects.toThrow('changed my mind')
    const spoilt = store.transaction(async tx => {
      tx.send(ADD, [1])
      tx.send('INSERT INTO journal (replica) VALUES (NULL)')
    })
    await expect(spoilt).rejects.toThrow('null value')
    expect(await store.read(LOST)).toEqual([])
  })

  test('is run again if its connection is cut before the end', async () => {
    const url = stores.freshUrl()
    const store = await open(url)
    let runs = 0
    await store.transaction(async tx => {
      await tx.query(ADD, [1])
      if (++runs === 1) await stores.cut(url)
      await tx.query(ADD, [2])
    })
    expect(runs).toBe(2)
    expect(await store.read(LOST)).toEqual([{ lost: 1 }, { lost: 2 }])
  })

  test('is run again if it is the victim of a deadlock', async () => {
    const store = await open(stores.freshUrl())
    const both = [0, 10]
    for (const lost of both) await store.write(ADD, [lost])
    const has = new Set<number>()
    await Promise.all(
      [0, 1].map(nth =>
        store.transaction(async tx => {
          await tx.query(LOCK, [both[nth]])
          has.add(nth)
          await until(() => has.size === 2)
          await tx.query(LOCK, [both[1 - nth]])
        }),
      ),
    )
    expect(await store.read(LOST)).toEqual([{ lost: 2 }, { lost: 12 }])
  })
})

describe('a notification between replicas', () => {
  test('arrives at all of them after the transaction, and says whether it is the replica’s own', async () => {
    const url = stores.freshUrl()
    const [one, two] = [await open(url), await open(url)]
    const heard: [string, string, boolean][] = []
    one.notices.on('rooms', (payload, own) => heard.push(['one', payload, own]))
    two.notices.on('rooms', (payload, own) => heard.push(['two', payload, own]))
    two.notices.on('other', payload => heard.push(['other', payload, true]))
    await one.transaction(async tx => tx.notify('rooms', 'ABCD with spaces\nand lines'))
    await until(() => heard.length === 2)
    expect(heard.toSorted()).toEqual([
      ['one', 'ABCD with spaces\nand lines', true],
      ['two', 'ABCD with spaces\nand lines', false],
    ])
  })

  test('works after every connection was cut, and the gap is reported', async () => {
    const url = stores.freshUrl()
    const store = await open(url)
    let gaps = 0
    const heard: string[] = []
    store.notices.onGap(() => gaps++)
    store.notices.on('rooms', payload => heard.push(payload))
    await stores.cut(url)
    await until(() => gaps === 1)
    await store.transaction(async tx => tx.notify('rooms', 'ABCD'))
    await until(() => heard.length === 1)
  })

  test('shows that a replica is alive as long as it is connected, and keeps its number when it is cut', async () => {
    const url = stores.freshUrl()
    const [one, two] = [await open(url), await open(url)]
    expect(await one.read(LIVE)).toEqual([{ number: 1 }, { number: 2 }])
    await stores.cut(url)
    await until(async () => (await one.read(LIVE)).length === 2)
    await two.close()
    await until(async () => (await one.read(LIVE)).length === 1)
    expect(await one.read(LIVE)).toEqual([{ number: 1 }])
  })
})

test("the URL of a store's server has none of the store's own options", () => {
  const { serverUrl } = readStoreUrl(
    'postgres://u:p@h:5/d?schema=team&pool=3&sslmode=disable&options=-c%20x%3D1&application_name=me',
  )
  expect(serverUrl).toBe('postgres://u:p@h:5/d?sslmode=disable')
})

test('a store that is closed while it connects again leaves no connection open', async () => {
  const url = stores.freshUrl()
  const connections = () =>
    stores.run('SELECT pid FROM pg_stat_activity WHERE application_name = $1', [stores.schemaOf(url)])
  for (let nth = 0; nth < 10; nth++) {
    const machine = new Clock()
    const store = await StoreDatabase.open({ url, machine, log: silentLog })
    await stores.cut(url)
    // A statement takes about as long as it takes to notice that the connection is gone.
    await store.read(LOST)
    await store.close()
    machine.close()
  }
  await until(async () => (await connections()).length === 0)
})
