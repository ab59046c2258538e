import { once } from 'node:events'
import { connect as connectSocket } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { connect as connectTls } from 'node:tls'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { EmbeddedDatabases } from '../../../servers/instanode/databases/embedded/embedded-databases.js'
import { frame, int32 } from '../../../servers/instanode/databases/embedded/wire/frames.js'
import { Clock } from '../../../shared/clock/clock.js'
import { IdSource } from '../../../shared/ids.js'
import { codeOf, connected, freshSpec, TestClient } from '../../support/databases/databases.js'

/** The wire: what clients and strangers send, and what they get. */
describe('the embedded databases’ gateway', () => {
  const machine = new Clock({ mode: 'manual' })
  let provider: EmbeddedDatabases
  let url: string
  let port: number
  const clients: TestClient[] = []
  const connect = async (to = url) => {
    const client = await connected(to)
    clients.push(client)
    return client
  }

  beforeAll(async () => {
    provider = await EmbeddedDatabases.start({ machine, ids: new IdSource('protocol') })
    url = (await provider.provision(freshSpec({ connections: 5 }))).url
    port = Number(new URL(url).port)
  })
  afterEach(async () => {
    await Promise.all(clients.splice(0).map(client => client.end()))
  })
  afterAll(async () => {
    await provider.close()
    machine.close()
  })

  const secure = () => `${url}?uselibpqcompat=true&sslmode=require`

  it('speaks TLS to a client that requests it', async () => {
    const client = await connect(secure())
    expect(await client.value('SELECT 1')).toBe(1)
    expect(await client.value(`SELECT length(repeat('x', 300000))`)).toBe(300_000)
  })

  it('binds SCRAM to the certificate', async () => {
    const client = await connect(`${secure()}&enableChannelBinding=true`)
    expect(await client.value('SELECT 1')).toBe(1)
  })

  it('speaks TLS to a client that begins with it (sslnegotiation=direct)', async () => {
    const socket = connectTls({
      port,
      host: '127.0.0.1',
      rejectUnauthorized: false,
      ALPNProtocols: ['postgresql'],
    })
    await once(socket, 'secureConnect')
    expect(socket.alpnProtocol).toBe('postgresql')
    socket.end(startup({ user: 'nobody', database: 'nothing' }))
    const [answer] = await once(socket, 'data')
    expect(String(answer)).toContain('SCRAM-SHA-256-PLUS')
    socket.destroy()
  })

  it('sends a certificate that a client can check', async () => {
    const checking = async (ca: string | undefined) => {
      const client = new TestClient({ connectionString: url, ssl: { ca } })
      clients.push(client)
      await client.connect()
      return client.value('SELECT 1')
    }
    expect(await checking(await provider.certificate())).toBe(1)
    expect(await codeOf(checking(undefined))).toBe('DEPTH_ZERO_SELF_SIGNED_CERT')
  })

  it.each([
    ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'), '08P01'],
    ['a length of nothing', int32(0), '08P01'],
    ['a length beyond sense', int32(2 ** 31 - 1), '08P01'],
    ['an old protocol', Buffer.concat([int32(8), int32(2 << 16)]), '0A000'],
    ['no user', startup({ database: 'x' }), '28000'],
    [
      'a start-up message without an end',
      Buffer.concat([int32(12), int32(3 << 16), Buffer.from('user')]),
      '08P01',
    ],
    ['a query before the password', Buffer.concat([startup({ user: 'a' }), frame('Q', 'SELECT 1')]), '08P01'],
    ['a wrong mechanism', Buffer.concat([startup({ user: 'a' }), frame('p', 'MD5', int32(0))]), '08P01'],
    ['replication', startup({ user: 'a', replication: 'true' }), '42501'],
    [
      'questions without end',
      Buffer.concat(Array(3).fill(Buffer.concat([int32(8), int32(80877104)]))),
      '08P01',
    ],
  ])('refuses a stranger who sends %s, with the reason, and hangs up', async (_what, bytes, code) => {
    expect((await talk(port, bytes)).toString('latin1')).toContain(`C${code}\0`)
    expect(await (await connect()).value('SELECT 1')).toBe(1)
  })

  it('negotiates a newer protocol, and options, down to version 3.0', async () => {
    const bytes = startup({ user: 'a', '_pq_.novelty': '1' }, 2)
    const answer = await talk(port, Buffer.concat([bytes, frame('Q', 'SELECT 1')]))
    const negotiated = frame('v', int32(3 << 16), int32(1), '_pq_.novelty')
    expect(answer.subarray(0, negotiated.length)).toEqual(negotiated)
  })

  it('hangs up on a client that sends nothing', async () => {
    const closed = once(connectSocket(port, '127.0.0.1'), 'close')
    // Connections are accepted in the order in which they come: once a later one is served, the silent one has its deadline.
    await connect()
    await machine.advance(6_000)
    await closed
  })

  it('ends a connection that sends an invalid message, and only that one', async () => {
    for (const bytes of [frame('!', 'what'), Buffer.from('Q\xff\xff\xff\xff', 'latin1')]) {
      const [good, bad] = [await connect(), await connect()]
      bad.connection.stream.write(bytes)
      expect(await bad.ended).toBe('08P01')
      expect(await good.value('SELECT 1')).toBe(1)
    }
  })

  it.each([
    ['Parse without its SQL', frame('P', Buffer.from('name\0SELECT 1'))],
    ['Bind without its statement', frame('B', Buffer.from('\0no end'))],
    ['Describe without a name', frame('D', Buffer.from('S'))],
    ['Close without a name', frame('C', Buffer.from('Sno end'))],
    ['Query without an end', frame('Q', Buffer.from('SELECT 1'))],
  ])('refuses a message that is too short, and keeps every connection: %s', async (_what, bytes) => {
    const [good, bad] = [await connect(), await connect()]
    const [failed, answered] = [once(bad.connection, 'errorMessage'), once(bad.connection, 'dataRow')]
    bad.connection.stream.write(Buffer.concat([bytes, frame('S'), frame('Q', 'SELECT 2')]))
    const [error] = await failed
    expect(error.code).toBe('08P01')
    expect(await good.value('SELECT 1')).toBe(1)
    const [row] = await answered
    expect(row.fields.map(String)).toEqual(['2'])
  })

  it('distinguishes prepared statements with long names', async () => {
    const client = await connect()
    const named = (last: string) => ({ name: `${'n'.repeat(62)}${last}`, text: `SELECT '${last}' AS last` })
    expect((await client.query(named('a'))).rows).toEqual([{ last: 'a' }])
    expect((await client.query(named('b'))).rows).toEqual([{ last: 'b' }])
    expect((await client.query(named('a'))).rows).toEqual([{ last: 'a' }])
    await expect(client.query(`DEALLOCATE "${'m'.repeat(63)}"`)).rejects.toThrow(`"${'m'.repeat(63)}"`)
    await client.query(`DEALLOCATE "${named('a').name}"`)
    await expect(client.query(`EXECUTE "${named('a').name}"`)).rejects.toThrow('does not exist')
  })

  it('passes SQL on without a change of its bytes', async () => {
    const client = await connect()
    const failed = once(client.connection, 'errorMessage')
    client.connection.stream.write(frame('Q', Buffer.from(`SELECT '\xff'\0`, 'latin1')))
    const [error] = await failed
    expect(error.code).toBe('22021')
  })

  it('copies in and out as a stream', async () => {
    const client = await connect()
    await client.query('CREATE TABLE rows (n int, body text)')
    const lines = Array.from({ length: 3_000 }, (_, n) => `${n}\t${'x'.repeat(1000)}\n`)
    await pipeline(Readable.from(lines), client.query(copyFrom('COPY rows FROM STDIN')))
    expect(await client.value('SELECT count(*)::int FROM rows')).toBe(3_000)
    let size = 0
    for await (const bytes of client.query(copyTo('COPY rows TO STDOUT'))) size += bytes.length
    expect(size).toBe(lines.join('').length)
    const bad = pipeline(
      Readable.from(['1\ta\n', 'no number\tb\n']),
      client.query(copyFrom('COPY rows FROM STDIN')),
    )
    expect(await codeOf(bad)).toBe('22P02')
    expect(await client.value('SELECT count(*)::int FROM rows')).toBe(3_000)
    await client.query('DROP TABLE rows')
  })

  it('ends a COPY whose client disconnects', async () => {
    const [a, b] = [await connect(), await connect()]
    await a.query('CREATE TABLE half (n int)')
    const stream = b.query(copyFrom('COPY half FROM STDIN'))
    stream.on('error', () => {})
    await new Promise(resolve => stream.write('1\n', resolve))
    b.connection.stream.destroy()
    expect(await a.value('SELECT count(*)::int FROM half')).toBe(0)
    await a.query('DROP TABLE half')
  })

  it('ends a cancelled COPY with 57014', async () => {
    const client = await connect()
    await client.query(`CREATE TABLE half (n int); SET statement_timeout = 100`)
    const stream = client.query(copyFrom('COPY half FROM STDIN'))
    const failed = codeOf(once(stream, 'finish'))
    await once(client.connection, 'copyInResponse')
    stream.write('1\n')
    await machine.advance(100)
    expect(await failed).toBe('57014')
    await client.query('RESET statement_timeout; DROP TABLE half')
  })

  it('streams a large result, a little ahead of its reader', async () => {
    const client = await connect()
    const { rows } = await client.query(`SELECT repeat('x', 1000) AS body FROM generate_series(1, 20000)`)
    expect(rows).toHaveLength(20_000)
  })

  it('sends the rows of a portal in portions', async () => {
    const client = await connect()
    await client.query('BEGIN; DECLARE c CURSOR FOR SELECT generate_series(1, 10)')
    expect((await client.query('FETCH 3 FROM c')).rows).toHaveLength(3)
    expect((await client.query('FETCH ALL FROM c')).rows).toHaveLength(7)
    await client.query('COMMIT')
  })

  it('skips to Sync after an error, as the protocol requires', async () => {
    const client = await connect()
    expect(await codeOf(client.query('SELECT $1::int', ['no number']))).toBe('22P02')
    expect(await codeOf(client.query({ name: 'bad', text: 'SELEC 1' }))).toBe('42601')
    expect(await client.value('SELECT $1::int', [1])).toBe(1)
    const named = { name: 'good', text: 'SELECT 10 / $1::int AS n' }
    expect(await codeOf(client.query({ ...named, values: [0] }))).toBe('22012')
    expect((await client.query({ ...named, values: [5] })).rows).toEqual([{ n: 2 }])
    await client.query('DEALLOCATE good')
  })

  it('reports the settings that a client must know', async () => {
    const client = await connect(`${url}?application_name=reporter`)
    const reported = new Map<string, string>()
    client.connection.on('parameterStatus', ({ parameterName, parameterValue }) =>
      reported.set(parameterName, parameterValue),
    )
    await client.query(`SET TimeZone = 'Asia/Tokyo'`)
    await (await connect()).query('SELECT 1')
    await client.query('SELECT 1')
    expect(reported.get('TimeZone')).toBe('Asia/Tokyo')
  })
})

function startup(parameters: Record<string, string>, minorVersion = 0): Buffer {
  const pairs = Object.entries(parameters).map(([name, value]) => `${name}\0${value}\0`)
  const body = Buffer.concat([int32((3 << 16) + minorVersion), Buffer.from(`${pairs.join('')}\0`)])
  return Buffer.concat([int32(body.length + 4), body])
}

async function talk(port: number, bytes: Buffer): Promise<Buffer> {
  const socket = connectSocket(port, '127.0.0.1')
  socket.write(bytes)
  const answers: Buffer[] = []
  socket.on('data', answer => answers.push(answer))
  await once(socket, 'close')
  return Buffer.concat(answers)
}
