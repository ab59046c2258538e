import type { QueryConfig } from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { EmbeddedDatabases } from '../../../servers/instanode/databases/embedded/embedded-databases.js'
import { frame, int32 } from '../../../servers/instanode/databases/embedded/wire/frames.js'
import { Clock } from '../../../shared/clock/clock.js'
import { IdSource } from '../../../shared/ids.js'
import {
  cancel,
  codeOf,
  connected,
  freshSpec,
  startEndless,
  type TestClient,
} from '../../support/databases/databases.js'

/** The process id that a client was told when it connected. */
function pidOf(client: TestClient): number {
  return Number(Reflect.get(client, 'processID'))
}

/** Statements that name a connection: one asks for its process id, another cancels or ends it. */
describe('signals between connections of an embedded database', () => {
  const machine = new Clock({ mode: 'manual' })
  let provider: EmbeddedDatabases
  let url: string
  const clients: TestClient[] = []
  const connect = async () => {
    const client = await connected(url)
    clients.push(client)
    return client
  }

  beforeAll(async () => {
    provider = await EmbeddedDatabases.start({ machine, ids: new IdSource('signals') })
    url = (await provider.provision(freshSpec({ connections: 5 }))).url
  })
  afterEach(async () => {
    await Promise.all(clients.splice(0).map(client => client.end()))
  })
  afterAll(async () => {
    await provider.close()
    machine.close()
  })

  const ways: [string, (pid: number) => QueryConfig][] = [
    ['a simple query', pid => ({ text: `SELECT pg_cancel_backend(${pid})` })],
    ['a parameter', pid => ({ text: 'SELECT pg_cancel_backend($1);', values: [pid] })],
    ['a cast', pid => ({ text: 'select pg_catalog.pg_cancel_backend($1::INTEGER) AS done', values: [pid] })],
    ['a prepared statement', pid => ({ name: 'c', text: 'SELECT pg_cancel_backend($1)', values: [pid] })],
  ]
  it.each(ways)('cancels a running statement by %s, at once', async (_way, query) => {
    const [a, b] = [await connect(), await connect()]
    const { ended } = await startEndless(a)
    expect((await b.query({ ...query(pidOf(a)), rowMode: 'array' })).rows).toEqual([[true]])
    expect(await ended).toBe('57014')
    expect(await a.value('SELECT 1')).toBe(1)
    expect(await b.value('SELECT 2')).toBe(2)
  })

  it('gives each connection a process id, with which others cancel it in a transaction', async () => {
    const [a, b] = [await connect(), await connect()]
    const pid = await a.value('SELECT pg_backend_pid()')
    expect(pid).toBe(pidOf(a))
    expect(await b.value('SELECT pg_backend_pid() AS pid')).toBe(pidOf(b))
    const { ended } = await startEndless(a, 'BEGIN; ')
    expect(await b.value('SELECT pg_cancel_backend($1)', [pid])).toBe(true)
    expect(await ended).toBe('57014')
    expect(await codeOf(a.query('SELECT pg_backend_pid()'))).toBe('25P02')
    await a.query('ROLLBACK')
  })

  it('keeps a transaction open over a call', async () => {
    const client = await connect()
    await client.query('BEGIN; CREATE TABLE undone (n int)')
    expect(await client.value('SELECT pg_cancel_backend($1)', [pidOf(client)])).toBe(true)
    await client.query('ROLLBACK')
    expect(await client.value(`SELECT to_regclass('undone')`)).toBeNull()
  })

  it('ends a connection with pg_terminate_backend', async () => {
    const [a, b] = [await connect(), await connect()]
    expect(await b.value('SELECT pg_terminate_backend($1)', [pidOf(a)])).toBe(true)
    expect(await a.ended).toBe('57P01')
  })

  it('warns of a process id that no connection of the database has', async () => {
    const other = await connected((await provider.provision(freshSpec())).url)
    const client = await connect()
    const notices: string[] = []
    client.on('notice', ({ message }) => notices.push(String(message)))
    const { ended } = await startEndless(other)
    expect(await client.value('SELECT pg_cancel_backend($1)', [pidOf(other)])).toBe(false)
    expect(notices).toEqual([`PID ${pidOf(other)} is not a PostgreSQL server process`])
    await cancel(other)
    expect(await ended).toBe('57014')
    await other.end()
  })

  it('answers a driver that describes first and executes later', async () => {
    const [a, b] = [await connect(), await connect()]
    const { ended } = await startEndless(a)
    const types: string[] = []
    const answered = new Promise<void>(resolve => {
      b.connection.on('message', ({ name }) => {
        types.push(name)
        if (name === 'readyForQuery') resolve()
      })
    })
    const described = new Promise(resolve => b.connection.once('rowDescription', resolve))
    const text = 'SELECT pg_cancel_backend($1)'
    b.connection.stream.write(
      Buffer.concat([frame('P', 's', text, Buffer.alloc(2)), frame('D', 'Ss'), frame('H')]),
    )
    await described
    const bind = [Buffer.from([0, 1, 0, 1, 0, 1]), int32(4), int32(pidOf(a)), Buffer.from([0, 1, 0, 1])]
    b.connection.stream.write(
      Buffer.concat([frame('B', '', 's', ...bind), frame('E', '', int32(1)), frame('S')]),
    )
    await answered
    expect(types).toEqual([
      'parseComplete',
      'parameterDescription',
      'rowDescription',
      'bindComplete',
      'dataRow',
      'portalSuspended',
      'readyForQuery',
    ])
    expect(await ended).toBe('57014')
  })

  it('leaves statements with more than such a call to the engine', async () => {
    const [a, b] = [await connect(), await connect()]
    expect(await b.value('SELECT pg_cancel_backend($1) AND false', [pidOf(a)])).toBe(false)
    expect(await codeOf(b.query('SELECT pg_cancel_backend($1)', ['no number']))).toBe('22P02')
    expect(await b.value('SELECT 1')).toBe(1)
  })
})
