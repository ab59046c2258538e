import { describe, expect, it } from 'vitest'
import type { DatabaseProvider, DatabaseSpec } from '../../servers/instanode/databases/provider.js'
import { cancel, codeOf, freshSpec, MB, type TestClient } from '../support/databases/databases.js'
import { until } from '../support/until.js'
import { ProviderInUse } from './provider-in-use.js'

/**
 * Declares the tests that every provider of databases must pass.
 *
 * @param start a provider, and what else is to be closed after it
 */
export function describeDatabaseProvider(name: string, start: () => Promise<DatabaseProvider>): void {
  describe(`${name}: the behaviour of every provider`, () => {
    const inUse = new ProviderInUse(start)
    const connect = (url: string) => inUse.connect(url)
    const provisioned = async (spec: DatabaseSpec = freshSpec()) => ({
      spec,
      ...(await inUse.provider.provision(spec)),
    })

    it('hands out a URL that answers, as its own role in its own database', async () => {
      const { spec, url } = await provisioned()
      const client = await connect(url)
      const { rows } = await client.query(
        `SELECT current_user AS me, session_user AS login, current_database() AS here,
                (SELECT rolsuper OR rolcreaterole OR rolcreatedb FROM pg_roles WHERE rolname = current_user) AS mighty`,
      )
      expect(rows).toEqual([{ me: spec.user, login: spec.user, here: spec.name, mighty: false }])
      await client.query('CREATE TABLE notes (id serial PRIMARY KEY, body text NOT NULL)')
      await client.query('BEGIN')
      await client.query('INSERT INTO notes (body) VALUES ($1), ($2)', ['one', "it's two"])
      await client.query('ROLLBACK')
      await client.query('INSERT INTO notes (body) VALUES ($1)', ['three'])
      expect((await client.query('SELECT body FROM notes')).rows).toEqual([{ body: 'three' }])
    })

    it('hands out a URL of user, password, address and database alone', async () => {
      const { spec, url } = await provisioned()
      const { protocol, search, pathname, username } = new URL(url)
      expect({ protocol, search, pathname, username }).toEqual({
        protocol: 'postgres:',
        search: '',
        pathname: `/${spec.name}`,
        username: spec.user,
      })
    })

    // fidelity instanode/postgres, same: The role owns its database and has no other privileges.
    it('lets the owner create schemas, types and functions, and nothing beyond the database', async () => {
      const client = await connect((await provisioned()).url)
      await client.query(`CREATE SCHEMA app; CREATE TYPE app.mood AS ENUM ('good', 'bad')`)
      await client.query(`CREATE FUNCTION app.twice(int) RETURNS int LANGUAGE sql AS 'SELECT $1 * 2'`)
      expect(await client.value('SELECT app.twice(21)')).toBe(42)
      for (const sql of [
        'CREATE ROLE another',
        'CREATE DATABASE another',
        `SELECT pg_read_file('PG_VERSION')`,
        `COPY (SELECT 1) TO PROGRAM 'true'`,
        'SET SESSION AUTHORIZATION postgres',
      ])
        expect(await codeOf(client.query(sql)), sql).toMatch(/^(42501|22023)$/)
      expect(await client.value('SELECT 1')).toBe(1)
    })

    it('refuses a wrong password and an unknown user alike: 28P01', async () => {
      const { spec, url } = await provisioned()
      expect(await codeOf(connect(url.replace(spec.password, 'wrong')))).toBe('28P01')
      expect(await codeOf(connect(url.replace(spec.user, 'usr_000000000000')))).toBe('28P01')
      expect(await codeOf(connect(url.replace(spec.user, 'robert%27%3B--')))).toBe('28P01')
    })

    // fidelity instanode/postgres, differs: A tenant can log in to the database of another tenant and to
    // `postgres`. Here: The login gets 42501, because no test should rely on it.
    it('refuses an unknown database with 3D000 and another’s with 42501', async () => {
      const [mine, theirs] = [await provisioned(), await provisioned()]
      expect(await codeOf(connect(mine.url.replace(mine.spec.name, 'db_000000000000')))).toBe('3D000')
      expect(await codeOf(connect(mine.url.replace(mine.spec.name, theirs.spec.name)))).toBe('42501')
    })

    // fidelity instanode/postgres, same: A database takes 2 connections. The next one gets 53300.
    it('refuses a connection beyond the limit with 53300, and accepts it after the limit is raised', async () => {
      const { spec, url } = await provisioned()
      await Promise.all([connect(url), connect(url)])
      expect(await codeOf(connect(url))).toBe('53300')
      await inUse.provider.setLimits(spec.name, { storageBytes: 500 * MB, connections: 3 })
      const third = await connect(url)
      expect(await third.value('SELECT 3')).toBe(3)
      expect(await codeOf(connect(url))).toBe('53300')
    })

    // fidelity instanode/postgres, same: A dropped database ends sessions with 57P01. Later logins get 28P01.
    it('ends sessions with 57P01 when a database is dropped; later logins get 28P01', async () => {
      const { spec, url } = await provisioned()
      const client = await connect(url)
      await client.query('CREATE TABLE gone (id int)')
      await inUse.provider.drop(spec.name)
      expect(await client.ended).toBe('57P01')
      expect(await codeOf(connect(url))).toBe('28P01')
      await inUse.provider.drop(spec.name)
      const again = await connect((await provisioned(spec)).url)
      expect(await again.value(`SELECT to_regclass('gone')`)).toBeNull()
    })

    it('ends a running query when its database is dropped', async () => {
      const { spec, url } = await provisioned()
      const client = await connect(url)
      const running = codeOf(client.query('SELECT pg_sleep(60)'))
      await inUse.provider.drop(spec.name)
      expect(await running).toBe('57P01')
    })

    // fidelity instanode/postgres, same: A locked database ends sessions with 57P01. Later logins get 42501
    // with its detail, and the data stay.
    // fidelity instanode/postgres, differs: The owner can undo the lock from the database `postgres`. Here:
    // The lock stays, because the owner cannot log in to another database.
    it('locks the owner out when a database is blocked, with 57P01 and then 42501', async () => {
      const { spec, url } = await provisioned()
      const [idle, busy] = [await connect(url), await connect(url)]
      await busy.query('BEGIN; CREATE TABLE half (n int)')
      const running = codeOf(busy.query('SELECT pg_sleep(60)'))
      await inUse.provider.block(spec.name)
      expect(await idle.ended).toBe('57P01')
      expect(await running).toBe('57P01')
      await expect(connect(url)).rejects.toMatchObject({
        severity: 'FATAL',
        code: '42501',
        message: `permission denied for database "${spec.name}"`,
        detail: 'User does not have CONNECT privilege.',
      })
      expect(await codeOf(connect(url.replace(spec.password, 'wrong')))).toBe('28P01')
      await inUse.provider.block(spec.name)
      await inUse.provider.setLimits(spec.name, { storageBytes: 500 * MB, connections: 5 })
      expect(await codeOf(connect(url))).toBe('42501')
      expect((await inUse.provider.stats(spec.name)).sizeBytes).toBeGreaterThan(5 * MB)
      await inUse.provider.drop(spec.name)
      expect(await codeOf(connect(url))).toBe('28P01')
    })

    it('lets a database without a limit grow', async () => {
      const { spec, url } = await provisioned({
        ...freshSpec(),
        limits: { storageBytes: null, connections: 2 },
      })
      const client = await connect(url)
      await client.query(
        `CREATE TABLE bulk AS SELECT repeat('x', 1000) AS body FROM generate_series(1, 12000)`,
      )
      await client.query('INSERT INTO bulk SELECT body FROM bulk LIMIT 1000')
      expect((await inUse.provider.stats(spec.name)).usedBytes).toBeGreaterThan(12 * MB)
    })

    it('counts connections and growth', async () => {
      const { spec, url } = await provisioned()
      const empty = await inUse.provider.stats(spec.name)
      expect(empty).toMatchObject({ connections: 0 })
      expect(empty.usedBytes).toBeLessThan(0.5 * MB)
      const client = await connect(url)
      await client.query(
        `CREATE TABLE bulk AS SELECT repeat('x', 1000) AS body FROM generate_series(1, 2000)`,
      )
      const full = await inUse.provider.stats(spec.name)
      expect(full.connections).toBe(1)
      expect(full.usedBytes).toBeGreaterThan(2 * MB)
      expect(full.sizeBytes - full.usedBytes).toBeGreaterThan(5 * MB)
    })

    it('keeps equal names of prepared statements apart', async () => {
      const { url } = await provisioned()
      const [a, b] = [await connect(url), await connect(url)]
      const ask = (client: TestClient, text: string, value: number) =>
        client.query({ name: 's', text, values: [value], rowMode: 'array' })
      for (let round = 0; round < 3; round++) {
        const [one, two] = await Promise.all([
          ask(a, 'SELECT $1::int + 1', round),
          ask(b, 'SELECT $1::int * 100', round),
        ])
        expect([one.rows[0]?.[0], two.rows[0]?.[0]]).toEqual([round + 1, round * 100])
      }
      await b.query('DISCARD ALL')
      expect((await ask(a, 'SELECT $1::int + 1', 5)).rows).toEqual([[6]])
    })

    it('keeps settings apart', async () => {
      const { url } = await provisioned()
      const [a, b] = [
        await connect(url),
        await connect(`${url}${url.includes('?') ? '&' : '?'}application_name=bee`),
      ]
      await a.query(`SET timezone = 'Europe/Berlin'; SET my.tenant = 'a'; SET work_mem = '1MB'`)
      await b.query(`SELECT set_config('my.tenant', 'b', false)`)
      const ask = `SELECT current_setting('timezone') || ' ' || current_setting('my.tenant') || ' ' ||
                   current_setting('application_name')`
      expect(await a.value(ask)).toBe('Europe/Berlin a ')
      expect(await b.value(ask)).toMatch(/^(?!Europe\/Berlin).* b bee$/)
      await a.query('RESET ALL')
      expect(await b.value(ask)).toMatch(/ b bee$/)
      expect(await a.value(`SELECT current_setting('work_mem')`)).not.toBe('1MB')
    })

    it('carries notifications from one connection to another', async () => {
      const { url } = await provisioned()
      const [a, b] = [await connect(url), await connect(url)]
      await a.query('LISTEN "Jobs"; LISTEN other')
      const heard = new Promise(resolve => a.once('notification', resolve))
      await b.query(`SELECT pg_notify('Jobs', 'seven')`)
      expect(await heard).toMatchObject({ channel: 'Jobs', payload: 'seven' })
    })

    it('cancels on request with 57014, and the connection goes on', async () => {
      const client = await connect((await provisioned()).url)
      let code: string | undefined
      const running = codeOf(client.query('SELECT pg_sleep(60)')).then(ended => {
        code = ended
      })
      await until(async () => {
        await cancel(client)
        return (await Promise.race([running, 'still running'])) !== 'still running'
      })
      expect(code).toBe('57014')
      expect(await client.value('SELECT 1')).toBe(1)
    })

    // fidelity instanode/postgres, same: `statement_timeout` is 30 s, and the owner can change it.
    it('enforces statement_timeout, 30 s unless changed', async () => {
      const client = await connect((await provisioned()).url)
      expect(await client.value('SHOW statement_timeout')).toBe('30s')
      await client.query(`SET statement_timeout = '50ms'`)
      await expect(client.query('SELECT pg_sleep(60)')).rejects.toMatchObject({
        code: '57014',
        message: 'canceling statement due to statement timeout',
      })
      await client.query('RESET statement_timeout')
      expect(await client.value('SELECT pg_sleep(0.1) IS NOT NULL')).toBe(true)
    })

    it('rolls back when a client vanishes in a transaction', async () => {
      const { url } = await provisioned()
      const [a, b] = [await connect(url), await connect(url)]
      await a.query('CREATE TABLE t (n int)')
      await b.query('BEGIN; INSERT INTO t VALUES (1)')
      b.connection.stream.destroy()
      expect(await a.value('SELECT count(*)::int FROM t')).toBe(0)
    })

    it('refuses what is no name, a second time the same, and limits of nothing', async () => {
      const { spec } = await provisioned()
      expect(await codeOf(inUse.provider.provision(spec))).toBe('database_exists')
      for (const bad of [
        { ...freshSpec(), name: 'db_0' },
        { ...freshSpec(), name: 'db_00000000000"; DROP DATABASE postgres; --' },
        { ...freshSpec(), user: '../../etc' },
        { ...freshSpec(), password: '' },
        { ...freshSpec(), limits: { storageBytes: 0, connections: 2 } },
        { ...freshSpec(), limits: { storageBytes: 1, connections: Number.NaN } },
      ])
        expect(await codeOf(inUse.provider.provision(bad)), JSON.stringify(bad)).toBe('bad_database_spec')
      const unknown = 'db_ffffffffffff'
      expect(await codeOf(inUse.provider.stats(unknown))).toBe('unknown_database')
      expect(await codeOf(inUse.provider.block(unknown))).toBe('unknown_database')
      expect(await codeOf(inUse.provider.setLimits(unknown, freshSpec().limits))).toBe('unknown_database')
    })

    it('makes many at once', async () => {
      const made = await Promise.all(Array.from({ length: 4 }, () => provisioned()))
      const answers = await Promise.all(
        made.map(async ({ url }) => (await connect(url)).value('SELECT current_database()')),
      )
      expect(answers).toEqual(made.map(({ spec }) => spec.name))
      await Promise.all(made.map(({ spec }) => inUse.provider.drop(spec.name)))
    })

    it('is ready', async () => {
      await expect(inUse.provider.ready()).resolves.toBeUndefined()
    })
  })
}
