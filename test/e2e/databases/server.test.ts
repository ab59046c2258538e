import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import {
  ServerDatabases,
  type ServerOptions,
} from '../../../servers/instanode/databases/server/server-databases.js'
import { Clock } from '../../../shared/clock/clock.js'
import { IdSource } from '../../../shared/ids.js'
import { describeDatabaseCopies } from '../../contract/database-copies.js'
import { describeDatabaseProvider } from '../../contract/database-provider.js'
import { codeOf, connected, freshSpec, MB } from '../../support/databases/databases.js'
import { startPostgres, type TestServer } from '../../support/databases/postgres-server.js'

// A server of its own: these tests look at all the databases and roles there are.
let postgres: TestServer
const machine = new Clock()

beforeAll(async () => {
  postgres = await startPostgres()
})
afterAll(async () => {
  machine.close()
  await postgres?.close()
})

const start = (options: Partial<ServerOptions> = {}) =>
  ServerDatabases.start({ adminUrl: postgres.adminUrl, machine, ids: new IdSource(), ...options })

describeDatabaseProvider('server', () => start())
describeDatabaseCopies('server', () => start())

describe('databases on a real server', () => {
  const databases = async () => {
    const admin = await connected(postgres.adminUrl)
    const { rows } = await admin.query(
      `SELECT datname AS name FROM pg_database WHERE datname ~ '^(db_|understudy_)'
       UNION SELECT rolname FROM pg_roles WHERE rolname ~ '^usr_'`,
    )
    await admin.end()
    return rows.map(({ name }) => name)
  }

  it('makes a database read-only past its storage, and writable again', async () => {
    // By hand: a look while the table is being made would end its maker, and leave none.
    const manual = new Clock({ mode: 'manual' })
    const provider = await start({ machine: manual, quotaPollMs: 2_000 })
    try {
      const spec = freshSpec({ storageBytes: MB })
      const { url } = await provider.provision(spec)
      const writer = await connected(url)
      await writer.query(`CREATE TABLE t AS SELECT repeat('x', 1000) FROM generate_series(1, 3000)`)
      await manual.advance(2_000)
      expect(await writer.ended).toBe('57P01')
      const reader = await connected(url)
      expect(await codeOf(reader.query('CREATE TABLE more (n int)'))).toBe('25006')
      expect(await reader.value('SELECT count(*)::int FROM t')).toBe(3000)
      await reader.query('BEGIN READ WRITE; TRUNCATE t; COMMIT')
      await reader.end()
      await manual.advance(2_000)
      const client = await connected(url)
      await client.query('CREATE TABLE more (n int)')
      await client.end()
    } finally {
      await provider.close()
    }
  })

  it('can use an administrator without superuser rights, who still sees locked databases', async () => {
    const admin = await connected(postgres.adminUrl)
    await admin.query(`CREATE ROLE steward LOGIN CREATEDB CREATEROLE PASSWORD 'secret'`)
    const adminUrl = new URL(postgres.adminUrl)
    Object.assign(adminUrl, { username: 'steward', password: 'secret' })
    const provider = await start({ adminUrl: adminUrl.href, spares: 0 })
    try {
      const { name, ...rest } = freshSpec()
      const { url } = await provider.provision({ name, ...rest })
      const client = await connected(url)
      await provider.block(name)
      expect(await client.ended).toBe('57P01')
      expect(await codeOf(connected(url))).toBe('42501')
      expect((await provider.stats(name)).sizeBytes).toBeGreaterThan(5 * MB)
      await provider.drop(name)
    } finally {
      await provider.close()
      await admin.query('DROP ROLE steward')
      await admin.end()
    }
  })

  it('reports what the server cannot do', async () => {
    const admin = await connected(postgres.adminUrl)
    const vector = await admin.value(
      `SELECT count(*)::int FROM pg_available_extensions WHERE name = 'vector'`,
    )
    await admin.end()
    const provider = await start({ spares: 0 })
    expect(provider.info.kind).toBe('server')
    expect(provider.info.notes.some(note => note.includes('pgvector'))).toBe(vector === 0)
    await provider.close()
  })

  it('removes its databases when it ends, or keeps them if configured', async () => {
    const before = await databases()
    const [gone, kept] = [freshSpec(), freshSpec()]
    const first = await start()
    await first.provision(gone)
    await first.close()
    expect(await databases()).toEqual(before)
    const second = await start({ keep: true })
    const { url } = await second.provision(kept)
    await second.close()
    expect((await databases()).filter(name => !before.includes(name)).sort()).toEqual([kept.name, kept.user])
    const third = await start()
    const client = await connected(url)
    expect(await third.stats(kept.name)).toMatchObject({ connections: 1 })
    await third.drop(kept.name)
    expect(await client.ended).toBe('57P01')
    await third.close()
    expect(await databases()).toEqual(before)
  })

  it('does not touch databases of others', async () => {
    const admin = await connected(postgres.adminUrl)
    await admin.query('CREATE DATABASE db_0123456789ab')
    const provider = await start({ spares: 0 })
    await provider.drop('db_0123456789ab')
    expect(await codeOf(provider.stats('db_0123456789ab'))).toBe('unknown_database')
    expect(await admin.value(`SELECT count(*)::int FROM pg_database WHERE datname = 'db_0123456789ab'`)).toBe(
      1,
    )
    await provider.close()
    await admin.query('DROP DATABASE db_0123456789ab')
    await admin.end()
  })

  it('removes a database whose caller disconnects during its creation', async () => {
    const before = await databases()
    const provider = await start()
    const [given, kept] = [freshSpec(), freshSpec()]
    const caller = new AbortController()
    const making = provider.provision(given, caller.signal)
    caller.abort('the caller hung up')
    await expect(making).rejects.toThrow('the caller hung up')
    await provider.provision(kept)
    expect(await codeOf(provider.stats(given.name))).toBe('unknown_database')
    await provider.close()
    expect(await databases()).toEqual(before)
  })

  it('stops at its time limit while the server delays a database', async () => {
    const manual = new Clock({ mode: 'manual' })
    const provider = await start({
      machine: manual,
      spares: 0,
      provisionLimitMs: 1_000,
      quotaPollMs: 3_600_000,
    })
    const admin = await connected(postgres.adminUrl)
    try {
      // Creating a role waits for this lock.
      await admin.query('BEGIN; LOCK TABLE pg_authid IN ACCESS EXCLUSIVE MODE')
      const refused = expect(provider.provision(freshSpec())).rejects.toThrow('took longer than 1 s')
      await manual.whenPending(2)
      await manual.advance(1_000)
      await refused
    } finally {
      await admin.query('ROLLBACK')
      await admin.end()
      await provider.close()
    }
  })

  it('refuses a malformed address and an unreachable server, without showing the password', async () => {
    expect(await codeOf(start({ adminUrl: 'mysql://root@localhost' }))).toBe('bad_database_url')
    await expect(start({ adminUrl: 'postgres://admin:hunter2@127.0.0.1:1/postgres' })).rejects.toMatchObject({
      code: 'database_server_down',
      message: expect.not.stringContaining('hunter2'),
    })
  })
})

describe('several instances on one server', () => {
  const startTwo = async (options = {}) => {
    const [one, two] = await Promise.all([start(options), start(options)])
    onTestFinished(async () => {
      await one.close()
      await two.close()
    })
    return [one, two] as const
  }
  const named = async (pattern: string) => {
    const admin = await connected(postgres.adminUrl)
    const { rows } = await admin.query(
      `SELECT datname AS name FROM pg_database WHERE datname ~ $1 UNION SELECT rolname FROM pg_roles WHERE rolname ~ $1`,
      [pattern],
    )
    await admin.end()
    return rows.map(({ name }) => name)
  }
  const markOf = ({ name }: { name: string }) => name.slice('db_'.length)

  it('change the limits of one database at once without failing', async () => {
    const [one, two] = await startTwo()
    const spec = freshSpec()
    const { url } = await one.provision(spec)
    const limits = { storageBytes: 20 * MB, connections: 7 }
    await Promise.all(
      Array.from({ length: 20 }, (_, nth) => (nth % 2 === 0 ? one : two).setLimits(spec.name, limits)),
    )
    const clients = await Promise.all(Array.from({ length: 7 }, () => connected(url)))
    expect(await codeOf(connected(url))).toBe('53300')
    for (const client of clients) await client.end()
  })

  it("drop each other's databases, and keep those that are still in use", async () => {
    const [one, two] = await startTwo()
    const [first, second] = [freshSpec(), freshSpec()]
    await one.provision(first)
    const { url } = await two.provision(second)
    await two.drop(first.name)
    expect(await named(`${first.name}|${first.user}`)).toEqual([])
    await one.close()
    const client = await connected(url)
    expect(await client.value('SELECT 1')).toBe(1)
    await client.end()
  })

  it('drop the owner of a database when no copy is left, whichever instance dropped the database', async () => {
    const [one, two] = await startTwo()
    const spec = freshSpec()
    await one.provision(spec)
    const copies = await one.copy([spec.name])
    await two.drop(spec.name)
    expect(await named(spec.user)).toEqual([spec.user])
    await one.forget(copies)
    expect(await named(spec.user)).toEqual([])
  })

  it('remove the owner of a database that another client has dropped', async () => {
    const [one, two] = await startTwo()
    const spec = freshSpec()
    await one.provision(spec)
    const admin = await connected(postgres.adminUrl)
    await admin.query(`DROP DATABASE ${spec.name}`)
    await admin.end()
    await two.drop(spec.name)
    expect(await named(`${markOf(spec)}|${spec.user}`)).toEqual([])
  })

  it('share a template if configured, which is kept, and leave no spare databases behind', async () => {
    const before = await named('^understudy_(spare|copy)')
    const [one, two] = await startTwo({ shared: true, keep: true })
    const specs = Array.from({ length: 6 }, () => freshSpec())
    await Promise.all(specs.map((spec, nth) => (nth % 2 === 0 ? one : two).provision(spec)))
    expect(await named('^understudy_template_1')).toEqual(['understudy_template_1'])
    await one.close()
    const late = freshSpec()
    await two.provision(late)
    for (const { name } of [...specs, late]) await two.drop(name)
    await two.close()
    expect(await named('^understudy_template_1')).toEqual(['understudy_template_1'])
    expect(await named('^understudy_(spare|copy)')).toEqual(before)
  })
})
