import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  EmbeddedDatabases,
  type EmbeddedOptions,
} from '../../../servers/instanode/databases/embedded/embedded-databases.js'
import { Clock } from '../../../shared/clock/clock.js'
import { IdSource } from '../../../shared/ids.js'
import { codeOf, connected, freshSpec, MB, type TestClient } from '../../support/databases/databases.js'
import { until } from '../../support/until.js'

const HOST = fileURLToPath(new URL('../../support/databases/embedded-host.mjs', import.meta.url))

/** The files on disk: which survive, and which process may use them. */
describe('the embedded databases’ directory', () => {
  const machine = new Clock({ mode: 'manual' })
  let dataDirectory: string
  const started: EmbeddedDatabases[] = []
  const clients: TestClient[] = []

  beforeEach(() => {
    dataDirectory = mkdtempSync(join(tmpdir(), 'understudy-test-'))
  })
  afterEach(async () => {
    await Promise.all(clients.splice(0).map(client => client.end()))
    await Promise.all(started.splice(0).map(provider => provider.close()))
    await rm(dataDirectory, { recursive: true, force: true })
  })

  const start = async (options: Partial<EmbeddedOptions> = {}) => {
    const provider = await EmbeddedDatabases.start({
      machine,
      ids: new IdSource(),
      dataDirectory,
      ...options,
    })
    started.push(provider)
    return provider
  }
  const connect = async (url: string) => {
    const client = await connected(url)
    clients.push(client)
    return client
  }
  const asleep = (provider: EmbeddedDatabases, name: string) =>
    until(async () => {
      await machine.advance(60_000)
      return (await provider.stats(name)).state === 'asleep'
    })

  it('has every acknowledged row after kill -9, and refuses a second process', async () => {
    const spec = freshSpec({ connections: 4 })
    const host = fork(HOST, [dataDirectory, JSON.stringify(spec)])
    const exited = once(host, 'exit')
    const [{ url }] = await once(host, 'message')
    const client = await connect(url)
    await client.query('CREATE TABLE acknowledged (n int PRIMARY KEY, body text)')
    await expect(start()).rejects.toMatchObject({
      code: 'data_directory_in_use',
      message: expect.stringContaining(`process ${host.pid}`),
    })
    let acknowledged = 0
    const inserting = (async () => {
      for (;;) {
        await client.query(`INSERT INTO acknowledged VALUES ($1, repeat('x', 500))`, [acknowledged])
        if (++acknowledged === 300) host.kill('SIGKILL')
      }
    })()
    await expect(inserting).rejects.toThrow()
    await exited
    await start()
    const again = await connect(url)
    expect(await again.value('SELECT count(*)::int FROM acknowledged')).toBeGreaterThanOrEqual(acknowledged)
    expect(await again.value(`SELECT '[1,2]'::vector <-> '[1,2]'`)).toBe(0)
    const limited = Array.from({ length: 4 }, () => codeOf(connect(url)))
    expect((await Promise.all(limited)).filter(code => code === '53300')).toHaveLength(1)
  })

  it('takes over the lock of a process that has ended', async () => {
    writeFileSync(join(dataDirectory, 'lock'), '4194305 1\n')
    const provider = await start()
    await expect(provider.ready()).resolves.toBeUndefined()
    await expect(start()).rejects.toMatchObject({ code: 'data_directory_in_use' })
  })

  it('keeps databases from one start to the next, and forgets dropped ones', async () => {
    const [kept, dropped, blocked] = [freshSpec(), freshSpec(), freshSpec()]
    const first = await start()
    const { url } = await first.provision(kept)
    await first.provision(dropped)
    const { url: blockedUrl } = await first.provision(blocked)
    await first.block(blocked.name)
    await (await connect(url)).query('CREATE TABLE t AS SELECT 5 AS n')
    await first.setLimits(kept.name, { storageBytes: MB, connections: 5 })
    await first.drop(dropped.name)
    await first.close()
    const second = await start()
    expect(readdirSync(dataDirectory).filter(entry => entry.startsWith('data_'))).toHaveLength(2)
    expect(await codeOf(connect(blockedUrl))).toBe('42501')
    expect(await codeOf(second.stats(dropped.name))).toBe('unknown_database')
    expect(await second.stats(kept.name)).toMatchObject({ state: 'asleep', connections: 0 })
    const client = await connect(url)
    expect(await client.value('SELECT n FROM t')).toBe(5)
    expect(await codeOf(client.query('CREATE TABLE big AS SELECT generate_series(1, 100000) n'))).toBe(
      '53100',
    )
  })

  it('listens on the same port again, so that URLs stay valid, or on another if that port is taken', async () => {
    const first = await start()
    const { url } = await first.provision(freshSpec())
    await first.close()
    const squatter = createServer().listen(first.port, '127.0.0.1')
    await once(squatter, 'listening')
    const second = await start()
    expect(second.port).not.toBe(first.port)
    expect(await (await connect(moved(url, second))).value('SELECT 1')).toBe(1)
    squatter.close()
  })

  it('refuses a directory whose list it cannot read', async () => {
    writeFileSync(join(dataDirectory, 'databases.json'), '{"engine":"0.0.1","databases":[]}')
    expect(await codeOf(start())).toBe('bad_data_directory')
    writeFileSync(join(dataDirectory, 'databases.json'), 'nothing')
    expect(await codeOf(start())).toBe('bad_data_directory')
  })

  it('lets an idle database sleep, and wakes it for the next client', async () => {
    const spec = freshSpec()
    const provider = await start()
    const { url } = await provider.provision(spec)
    const client = await connect(url)
    await client.query('CREATE TABLE t AS SELECT 6 AS n')
    expect((await provider.stats(spec.name)).state).toBe('awake')
    await client.end()
    await asleep(provider, spec.name)
    expect((await provider.stats(spec.name)).usedBytes).toBeGreaterThan(0)
    const [a, b] = await Promise.all([connect(url), connect(url)])
    expect(await a.value('SELECT n FROM t')).toBe(6)
    expect(await b.value('SELECT current_user')).toBe(spec.user)
    await provider.drop(spec.name)
    expect(await a.ended).toBe('57P01')
  })

  it('replaces an engine whose memory has grown, without disturbing clients', async () => {
    const provider = await start({ memoryLimit: 160 * MB })
    const { url } = await provider.provision(freshSpec())
    const [a, b] = [await connect(url), await connect(url)]
    await a.query(`SET TimeZone = 'Asia/Tokyo'`)
    await a.query('LISTEN news')
    const named = { name: 'n', text: 'SELECT $1::int * 2 AS n', values: [4] }
    await a.query(named)
    await b.query('CREATE TEMP TABLE witness (n int)')
    expect(await b.value(`SELECT length(repeat('x', 100000000))`)).toBe(100_000_000)
    expect(await b.value(`SELECT to_regclass('witness')`)).toBeNull()
    expect((await a.query(named)).rows).toEqual([{ n: 8 }])
    expect(await a.value('SHOW TimeZone')).toBe('Asia/Tokyo')
    const heard = once(a, 'notification')
    await b.query(`NOTIFY news, 'still here'`)
    expect(await heard).toMatchObject([{ payload: 'still here' }])
  })

  it('loads no engine before the first database, and leaves nothing behind', async () => {
    const provider = await EmbeddedDatabases.start({ machine, ids: new IdSource() })
    const { url } = await provider.provision(freshSpec())
    const client = await connect(url)
    await provider.close()
    expect(await client.ended).toBe('57P01')
    expect(await codeOf(connect(url))).toBe('ECONNREFUSED')
    await expect(provider.ready()).rejects.toThrow()
  })
})

/** The same database, served by another process: on another port. */
function moved(url: string, provider: EmbeddedDatabases): string {
  const address = new URL(url)
  address.port = String(provider.port)
  return address.href
}
