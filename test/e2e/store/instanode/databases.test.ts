import { expect, onTestFinished, test } from 'vitest'
import { Instanode, type InstanodeOptions } from '../../../../servers/instanode/index.js'
import { createInstance } from '../../../../servers/understudy/instance.js'
import type { World } from '../../../../shared/world/world.js'
import { codeOf, connected } from '../../../support/databases/databases.js'
import { useStores } from '../../../support/databases/store.js'
import {
  connectOverHttp,
  createPostgres,
  DAY,
  databaseOf,
  listedTokens,
  PAID,
} from '../../../support/servers/instanode.js'
import { ok } from '../../../support/servers/understudy.js'

// A server of its own: a test looks at all the databases and roles there are.
const stores = useStores({ ownServer: true })

/** As the command starts it: databases come from where the store is, unless something else is said. */
async function start(url: string, options: InstanodeOptions = {}) {
  const instance = await createInstance({ clock: 'manual', store: url })
  const close = async (instanode?: Instanode) => {
    await instanode?.close()
    await instance.close()
  }
  try {
    const { instanode, url: base } = await Instanode.listen(instance, {}, options)
    let closing: Promise<void> | undefined
    const stop = () => {
      closing ??= close(instanode)
      return closing
    }
    onTestFinished(stop)
    return {
      instance,
      stop,
      controlled: instanode.controlled(),
      client: (token?: string) => connectOverHttp(`${base}/mcp`, token),
    }
  } catch (error) {
    await close()
    throw error
  }
}

const named = (pattern: string) =>
  stores.run<{ name: string }>(
    `SELECT datname AS name FROM pg_database WHERE datname ~ $1 UNION ALL SELECT rolname FROM pg_roles WHERE rolname ~ $1`,
    [pattern],
  )

// fidelity instanode/replicas, same: Databases and their contents outlive a restart.
test('databases are created on the server of the store, and keep their contents over a restart', async () => {
  const url = stores.freshUrl()
  const before = await start(url)
  const { token, connection_url } = await createPostgres(await before.client())
  const writer = await connected(connection_url)
  await writer.query(`CREATE TABLE notes AS SELECT 'kept' AS body`)
  await writer.end()
  expect(new URL(connection_url).searchParams.size).toBe(0)
  await before.stop()

  const after = await start(url)
  const reader = await connected(connection_url)
  expect(await reader.value('SELECT body FROM notes')).toBe('kept')
  const paid = await after.client(PAID)
  await ok(paid, 'claim_token', { token })
  expect(await listedTokens(paid)).toEqual([token])
  await ok(paid, 'delete_resource', { token })
  expect(await reader.ended).toBe('57P01')
  expect(await named(databaseOf(token))).toEqual([])
  expect(await named(databaseOf(token).replace('db_', 'usr_'))).toEqual([])
})

// fidelity instanode/replicas, same: Replicas make and drop databases on one server without disturbing each
// other.
test('two replicas create, limit and drop databases on one server without disturbing each other', async () => {
  const url = stores.freshUrl()
  const [a, b] = [await start(url), await start(url)]
  const paid = [await a.client(PAID), await b.client(PAID)]
  const anonymous = [await a.client(), await b.client()]
  const made = await Promise.all([0, 1, 0, 1, 0].map(nth => createPostgres(anonymous[nth] ?? fail())))
  await Promise.all(made.map(({ token }, nth) => ok(paid[1 - (nth % 2)] ?? fail(), 'claim_token', { token })))
  await a.stop()
  for (const { connection_url } of made) {
    const client = await connected(connection_url)
    expect(await client.value('SELECT 1')).toBe(1)
    await client.end()
  }
  const later = await createPostgres(paid[1] ?? fail())
  await Promise.all([...made, later].map(({ token }) => ok(paid[1] ?? fail(), 'delete_resource', { token })))
  for (const { token } of [...made, later]) expect(await named(databaseOf(token).slice(3))).toEqual([])
})

test('a database that one replica has created is dropped by another when it expires', async () => {
  const url = stores.freshUrl()
  const [a, b] = [await start(url), await start(url)]
  const { connection_url } = await createPostgres(await a.client())
  await a.stop()
  const client = await connected(connection_url)
  await b.instance.clock.whenPending(1)
  await b.instance.clock.advance(DAY)
  expect(await client.ended).toBe('57P01')
  expect(await codeOf(connected(connection_url))).toBe('28P01')
})

test('a world with databases is loaded once, by the first of several replicas', async () => {
  const url = stores.freshUrl()
  const token = `${stores.schemaOf(url).length.toString(16).padStart(8, '0')}-0000-4000-8000-000000000001`
  const world: World = {
    accounts: [{ id: 'acct_paid', plan: 'paid', token: PAID }],
    databases: [
      { name: 'app', account: 'acct_paid', token, sql: `CREATE TABLE notes AS SELECT 'once' AS body` },
    ],
  }
  const replicas = await Promise.all([1, 2, 3].map(() => start(url, { world })))
  for (const { client } of replicas) expect(await listedTokens(await client(PAID))).toEqual([token])
  const state = await replicas[2]?.controlled.state({ secrets: true, latest: 0 })
  const reader = await connected(state?.resources[0]?.url ?? '')
  expect(await reader.value('SELECT body FROM notes')).toBe('once')
  await reader.end()
  await ok((await replicas[1]?.client(PAID)) ?? fail(), 'delete_resource', { token })
})

// fidelity instanode/replicas, same: There is a single source of databases. Embedded ones are refused beside
// a store.
test.each<[string, InstanodeOptions]>([
  ['databases', { databases: 'embedded' }],
  ['a directory for databases', { dataDirectory: 'somewhere' }],
])('embedded %s beside a store are refused, with the remedy', async (_, options) => {
  await expect(start(stores.freshUrl(), options)).rejects.toMatchObject({
    code: 'bad_databases',
    sentence: expect.stringContaining('--databases postgres://'),
  })
})

test('a role that may not create databases gets a remedy at the start, and nothing is created', async () => {
  const url = new URL(stores.freshUrl())
  const schema = stores.schemaOf(url.href)
  const role = `keeper_${schema}`
  await stores.run(`CREATE ROLE ${role} LOGIN PASSWORD 'hunter2'`)
  await stores.run(`CREATE SCHEMA ${schema} AUTHORIZATION ${role}`)
  Object.assign(url, { username: role, password: 'hunter2' })
  const before = await named('^(db_|usr_|understudy_)')
  const refusal = expect.stringMatching(
    /^(?!.*hunter2).*may not create databases and roles.*--databases URL$/,
  )
  await expect(start(url.href)).rejects.toMatchObject({ code: 'database_rights', sentence: refusal })
  expect(await named('^(db_|usr_|understudy_)')).toEqual(before)
  expect(await stores.run(`SELECT FROM ${schema}.records WHERE partition LIKE 'instanode/%'`)).toEqual([])
  await stores.run(`DROP OWNED BY ${role}`)
  await stores.run(`DROP ROLE ${role}`)
})

function fail(): never {
  throw new Error('no such one')
}
