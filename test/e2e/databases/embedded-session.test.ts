import { once } from 'node:events'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { EmbeddedDatabases } from '../../../servers/instanode/databases/embedded/embedded-databases.js'
import { Clock } from '../../../shared/clock/clock.js'
import { IdSource } from '../../../shared/ids.js'
import {
  advanceUntil,
  cancel,
  codeOf,
  connected,
  freshSpec,
  MB,
  startEndless,
  type TestClient,
} from '../../support/databases/databases.js'

/** Behaviour of the embedded engine alone: one session behind many connections, its limits, and how it is stopped. */
describe('embedded databases', () => {
  // Moved by hand: waits and time-outs take no time, and nothing falls due that a test has not asked for.
  const machine = new Clock({ mode: 'manual' })
  let provider: EmbeddedDatabases
  let url: string
  let name: string
  const clients: TestClient[] = []
  const connect = async (to = url) => {
    const client = await connected(to)
    clients.push(client)
    return client
  }

  beforeAll(async () => {
    provider = await EmbeddedDatabases.start({ machine, ids: new IdSource('embedded') })
  })
  beforeEach(async () => {
    const spec = freshSpec({ connections: 5 })
    name = spec.name
    url = (await provider.provision(spec)).url
  })
  afterEach(async () => {
    await Promise.all(clients.splice(0).map(client => client.end()))
    await provider.drop(name)
  })
  afterAll(async () => {
    await provider.close()
    machine.close()
  })

  it('restores a dump: the extension’s comment can be set, and the extension can be dropped and created again', async () => {
    const client = await connect()
    await client.query('DROP EXTENSION IF EXISTS vector')
    await client.query('CREATE EXTENSION IF NOT EXISTS vector WITH SCHEMA public')
    await client.query(`COMMENT ON EXTENSION vector IS 'restored'`)
    expect(await client.value(`SELECT obj_description(oid) FROM pg_extension WHERE extname = 'vector'`)).toBe(
      'restored',
    )
    expect(await client.value(`SELECT '[1,2]'::vector <-> '[1,3]'`)).toBe(1)
  })

  // fidelity instanode/postgres, differs: A server converts client encodings. Here: Embedded databases refuse
  // all but UTF8 and SQL_ASCII, because their engine cannot convert.
  it.each(['LATIN1', 'WIN1252', 'EUC_JP'])(
    'refuses the client encoding %s, and continues',
    async encoding => {
      const [client, other] = [await connect(), await connect()]
      expect(await codeOf(client.query(`SET client_encoding = '${encoding}'`))).toBe('0A000')
      expect(await codeOf(client.query(`SELECT convert_to('é', '${encoding}')`))).toBe('42883')
      expect(await client.value(`SELECT 'é'`)).toBe('é')
      expect(await other.value('SELECT 1')).toBe(1)
    },
  )

  it('fails a COPY whose client sends a query instead of data, and continues', async () => {
    const [client, other] = [await connect(), await connect()]
    await client.query('CREATE TABLE t (n int)')
    // The driver sends the second query only after the first. The connection takes it at once.
    const copying = client.query('COPY t FROM STDIN')
    const connection: { query(text: string): void } = Reflect.get(client, 'connection')
    connection.query('SELECT 1')
    await expect(copying).rejects.toThrow('unexpected message type 0x51 during COPY from stdin')
    expect(await other.value('SELECT count(*)::int FROM t')).toBe(0)
  })

  // fidelity instanode/postgres, differs: An owner can install trusted extensions. Here: Embedded databases
  // have `vector` alone, because their engine has no other extension.
  it('has pgvector installed', async () => {
    const client = await connect()
    await client.query('CREATE EXTENSION IF NOT EXISTS vector')
    await client.query('CREATE TABLE items (id int, embedding vector(3))')
    await client.query('CREATE INDEX ON items USING hnsw (embedding vector_l2_ops)')
    await client.query(`INSERT INTO items VALUES (1, '[1,1,1]'), (2, '[5,5,5]')`)
    expect(await client.value(`SELECT id FROM items ORDER BY embedding <-> '[4,4,4]' LIMIT 1`)).toBe(2)
  })

  it('answers 55P03 to a client that waits too long for another’s transaction', async () => {
    const [a, b] = [await connect(), await connect()]
    await a.query('CREATE TABLE t (n int); BEGIN; INSERT INTO t VALUES (1)')
    const waiting = codeOf(b.query('SELECT count(*) FROM t'))
    const named = codeOf(b.query({ name: 'later', text: 'SELECT $1::int', values: [1] }))
    expect(await advanceUntil(machine, 5_000, waiting)).toBe('55P03')
    expect(await advanceUntil(machine, 5_000, named)).toBe('55P03')
    await a.query('COMMIT')
    expect(await b.value('SELECT count(*)::int FROM t')).toBe(1)
    expect(await b.value('SELECT $1::int', [2])).toBe(2)
  })

  it('names Flyway’s setting to a connection that waits for a transaction', async () => {
    const [a, b] = [await connect(), await connect()]
    await a.query('BEGIN; SELECT pg_try_advisory_xact_lock(1)')
    // The batch before this one has ended, so the session knows that the transaction is open.
    await a.query('SELECT 1')
    const waiting = b.query('SELECT 1')
    waiting.catch(() => undefined)
    await advanceUntil(machine, 5_000, codeOf(waiting))
    await expect(waiting).rejects.toMatchObject({
      message: 'another connection has held a transaction open for more than 5000 ms',
      hint: expect.stringContaining('flyway.postgresql.transactional.lock=false'),
    })
    await a.query('ROLLBACK')
  })

  it('does not mention a transaction to a connection that waits for a single statement', async () => {
    const [a, b] = [await connect(), await connect()]
    await a.query('SET statement_timeout = 0')
    const { ended } = await startEndless(a)
    const waiting = b.query('SELECT 1')
    await advanceUntil(machine, 5_000, codeOf(waiting))
    await expect(waiting).rejects.toMatchObject({
      code: '55P03',
      message: 'the statements of other connections have kept the database busy for more than 5000 ms',
      hint: expect.stringContaining('pg_cancel_backend'),
    })
    await cancel(a)
    expect(await ended).toBe('57014')
  })

  it('lets a client that waits in time continue after the transaction', async () => {
    const [a, b] = [await connect(), await connect()]
    await a.query('CREATE TABLE t (n int); BEGIN; INSERT INTO t VALUES (1)')
    const waiting = b.value('SELECT count(*)::int FROM t')
    await a.query('COMMIT')
    expect(await waiting).toBe(1)
  })

  it('opens a second connection while the first holds a transaction', async () => {
    const a = await connect()
    await a.query('BEGIN')
    await connect()
    await a.query('ROLLBACK')
  })

  it('continues for other clients when a client disconnects right after its answer', async () => {
    const client = await connect()
    for (let round = 0; round < 30; round++) {
      const hasty = await connected(url)
      // The time-out is read back from the engine after the answer has left.
      await hasty.query('SET statement_timeout = 1000; RESET statement_timeout')
      hasty.connection.stream.destroy()
      expect(await client.value('SELECT 1')).toBe(1)
    }
  })

  it('cancels a statement that waits for its turn', async () => {
    const [a, b] = [await connect(), await connect()]
    await a.query('BEGIN')
    const waiting = codeOf(b.query('SELECT 1'))
    let ended = false
    void waiting.finally(() => {
      ended = true
    })
    // A request that arrives before the statement does nothing.
    while (!ended) await cancel(b)
    expect(await waiting).toBe('57014')
    await a.query('ROLLBACK')
    expect(await b.value('SELECT 2')).toBe(2)
  })

  it('cancels a statement whose settings are being applied, and stops if the client disconnects then', async () => {
    const [a, b] = [await connect(), await connect()]
    await a.query(`CREATE TABLE t (n int); SET TimeZone = 'Asia/Tokyo'`)
    for (let round = 0; round < 10; round++) {
      await b.query(`SET work_mem = '${round + 1}MB'`)
      await a.query('SELECT 1')
      const running = codeOf(b.query('SELECT pg_sleep(60)'))
      await cancel(b)
      expect(await running).toBe('57014')
      const hasty = await connect(`${url}?options=-c%20work_mem%3D2MB`)
      hasty.connection.query('COPY t FROM STDIN')
      await new Promise(resolve => hasty.connection.stream.write('', resolve))
      hasty.connection.stream.destroy()
      expect(await a.value('SELECT count(*)::int FROM t')).toBe(0)
    }
    expect(await b.value('SHOW work_mem')).toBe('10MB')
  })

  it('sends a long answer while another client does not read', async () => {
    const [deaf, client] = [await connect(), await connect()]
    const elsewhere = await connect((await provider.provision(freshSpec())).url)
    await client.query('SET statement_timeout = 0')
    const begun = once(deaf.connection, 'dataRow')
    const unread = codeOf(deaf.query(`SELECT repeat('x', 100000) FROM generate_series(1, 500)`))
    await begun
    deaf.connection.stream.pause()
    // Time for buffers to fill up.
    for (let i = 0; i < 100; i++) await elsewhere.query('SELECT 1')
    await machine.advance(30_000)
    expect(await client.value(`SELECT length(repeat('y', 300000))`)).toBe(300_000)
    expect(await client.value(`SELECT repeat('y', 300000)`)).toHaveLength(300_000)
    deaf.connection.stream.resume()
    expect(await unread).toBe('57014')
  })

  it('applies the changes that two connections make at the same time', async () => {
    const [a, b] = [await connect(), await connect()]
    await a.query('CREATE TABLE counter (n int); INSERT INTO counter VALUES (0)')
    const increment = async (client: TestClient) => {
      for (let i = 0; i < 50; i++) {
        await client.query('BEGIN')
        await client.query('UPDATE counter SET n = n + $1', [1])
        await client.query('COMMIT')
      }
    }
    await Promise.all([increment(a), increment(b)])
    expect(await a.value('SELECT n FROM counter')).toBe(100)
  })

  it('ends an engine that does not notice a cancel; committed data is kept', async () => {
    const [a, b] = [await connect(), await connect()]
    await a.query('CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)')
    const running = codeOf(a.query('DO $$ BEGIN LOOP END LOOP; END $$'))
    // Through its statement_timeout, and then the time Postgres is given to notice.
    expect(await advanceUntil(machine, 3_000, running)).toBe('57P02')
    expect(await b.ended).toBe('57P02')
    expect(await (await connect()).value('SELECT n FROM kept')).toBe(7)
  })

  it('does not let a runaway query in one database delay another database', async () => {
    const other = await provider.provision(freshSpec())
    const [a, b] = [await connect(), await connect(other.url)]
    const running = codeOf(a.query('DO $$ BEGIN LOOP END LOOP; END $$'))
    for (let i = 0; i < 20; i++) expect(await b.value('SELECT $1::int', [i])).toBe(i)
    await provider.drop(name)
    expect(await running).toBe('57P01')
  })

  it('refuses growth beyond the quota with 53100; reads, deletes and vacuum free it again', async () => {
    const client = await connect()
    await client.query('CREATE TABLE bulk (body text)')
    const insert = () =>
      client.query(`INSERT INTO bulk SELECT repeat(md5(n::text), 31) FROM generate_series(1, 500) n`)
    await expect(
      (async () => {
        for (;;) await insert()
      })(),
    ).rejects.toMatchObject({ code: '53100' })
    const { usedBytes } = await provider.stats(name)
    expect(usedBytes).toBeGreaterThan(9 * MB)
    expect(usedBytes).toBeLessThan(10.2 * MB)
    expect(await codeOf(insert())).toBe('53100')
    expect(await client.value('SELECT count(*)::int FROM bulk')).toBeGreaterThan(4500)
    await client.query('DELETE FROM bulk WHERE ctid IN (SELECT ctid FROM bulk LIMIT 4000)')
    await client.query('VACUUM FULL bulk')
    await insert()
    await provider.setLimits(name, { storageBytes: MB, connections: 5 })
    expect(await codeOf(insert())).toBe('53100')
    await client.query('TRUNCATE bulk')
    await insert()
  })

  it('does not let an insert that exceeds its quota affect another database', async () => {
    const other = await provider.provision(freshSpec())
    const [a, b] = [await connect(), await connect(other.url)]
    await b.query('CREATE TABLE kept (n int)')
    const breaking = codeOf(a.query('CREATE TABLE t AS SELECT generate_series(1, 100000000) n'))
    for (let n = 0; n < 20; n++) await b.query('INSERT INTO kept VALUES ($1)', [n])
    expect(await breaking).toBe('53100')
    expect(await b.value('SELECT count(*)::int FROM kept')).toBe(20)
  })

  it('stops one huge statement at the quota', async () => {
    const client = await connect()
    expect(await codeOf(client.query('CREATE TABLE t AS SELECT generate_series(1, 100000000) n'))).toBe(
      '53100',
    )
    expect((await provider.stats(name)).usedBytes).toBeLessThan(10.2 * MB)
    expect(await client.value(`SELECT to_regclass('t')`)).toBeNull()
  })

  it('does not grow by updates: dead rows are vacuumed', async () => {
    const client = await connect()
    await client.query(`CREATE TABLE t AS SELECT n, repeat('x', 500) AS body FROM generate_series(1, 2000) n`)
    await client.query('CREATE INDEX ON t (body)')
    for (let i = 0; i < 12; i++) await client.query(`UPDATE t SET body = repeat('y', 500) || $1`, [String(i)])
    expect((await provider.stats(name)).usedBytes).toBeLessThan(10.2 * MB)
  })

  it('answers endless recursion with 54001, and continues', async () => {
    const client = await connect()
    await client.query(
      `CREATE FUNCTION deep(n int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN deep(n + 1); END $$`,
    )
    expect(await codeOf(client.query('SELECT deep(1)'))).toBe('54001')
    expect(await client.value('SELECT 1')).toBe(1)
  })

  it('does not let a client become the engine’s superuser', async () => {
    const client = await connect()
    await client.query('BEGIN')
    expect(await codeOf(client.query(`SET SESSION AUTHORIZATION postgres`))).toBe('42501')
    expect(await codeOf(client.query('SELECT 1'))).toBe('25P02')
    await client.query('ROLLBACK')
    await client
      .query(`DO $$ BEGIN EXECUTE 'SET SESSION AUTHOR' || 'IZATION postgres'; END $$`)
      .catch(() => {})
    expect(await client.ended).toBe('42501')
    const next = await connect()
    expect(await next.value('SELECT rolsuper FROM pg_roles WHERE rolname = current_user')).toBe(false)
  })

  it('applies settings and options of the start-up message, and refuses invalid ones', async () => {
    const client = await connect(`${url}?options=-c%20work_mem%3D2MB%20-c%20TimeZone%3DAsia/Tokyo`)
    expect(await client.value('SHOW work_mem')).toBe('2MB')
    expect(await client.value('SHOW TimeZone')).toBe('Asia/Tokyo')
    const bad = await connect(`${url}?options=-c%20nonsense%3D1`)
    expect(await codeOf(bad.query('SELECT 1'))).toBe('42704')
  })

  it('drops temporary tables when no client is connected', async () => {
    const a = await connect()
    await a.query('CREATE TEMP TABLE scratch (n int)')
    await a.end()
    expect(await (await connect()).value(`SELECT to_regclass('scratch')`)).toBeNull()
  })
})
