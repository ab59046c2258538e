import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { EmbeddedDatabases } from '../../../servers/instanode/databases/embedded/embedded-databases.js'
import { Clock } from '../../../shared/clock/clock.js'
import { IdSource } from '../../../shared/ids.js'
import { advanceUntil, codeOf, connected, freshSpec } from '../../support/databases/databases.js'

/** A provider whose machine's time is moved by hand, in a directory that can be looked into. */
async function start() {
  const machine = new Clock({ mode: 'manual' })
  const directory = mkdtempSync(join(tmpdir(), 'understudy-copies-'))
  const provider = await EmbeddedDatabases.start({ machine, ids: new IdSource(), dataDirectory: directory })
  onTestFinished(async () => {
    await provider.close()
    machine.close()
    rmSync(directory, { recursive: true, force: true })
  })
  const spec = freshSpec()
  const { url } = await provider.provision(spec)
  const copies = () => readdirSync(directory).filter(name => name.startsWith('copies_'))
  return { machine, directory, provider, name: spec.name, url, copies }
}

it('a database in which a transaction stays open is not copied, and the transaction goes on', async () => {
  const { machine, provider, name, url, copies } = await start()
  const client = await connected(url)
  await client.query('CREATE TABLE t (x int)')
  await client.query('BEGIN')
  await client.query('INSERT INTO t VALUES (1)')
  const refused = codeOf(provider.copy([name]))
  expect(await advanceUntil(machine, 1000, refused)).toBe('database_busy')
  expect(copies()).toEqual([])
  await client.query('COMMIT')
  expect(await client.value('SELECT count(*)::int FROM t')).toBe(1)
  await client.end()
})

it('a copy waits for the end of a transaction, and has its changes', async () => {
  const { provider, name, url } = await start()
  const client = await connected(url)
  await client.query('CREATE TABLE t (x int); BEGIN; INSERT INTO t VALUES (1)')
  const copying = provider.copy([name])
  await client.query('COMMIT')
  const copies = await copying
  await client.query('DELETE FROM t')
  await provider.putBack(copies)
  expect(await client.ended).toBe('57P01')
  const again = await connected(url)
  expect(await again.value('SELECT count(*)::int FROM t')).toBe(1)
  await again.end()
})

it('a sleeping database is copied without being woken', async () => {
  const { machine, provider, name, url } = await start()
  const client = await connected(url)
  await client.query('CREATE TABLE t AS SELECT 7 AS x')
  await client.end()
  await advanceUntil(
    machine,
    60_000,
    (async () => {
      while ((await provider.stats(name)).state === 'awake')
        await new Promise(resolve => setImmediate(resolve))
    })(),
  )
  const copies = await provider.copy([name])
  expect((await provider.stats(name)).state).toBe('asleep')
  await provider.drop(name)
  await provider.putBack(copies)
  const again = await connected(url)
  expect(await again.value('SELECT x FROM t')).toBe(7)
  await again.end()
})

it('a client keeps its settings and prepared statements during a copy', async () => {
  const { provider, name, url } = await start()
  const client = await connected(url)
  await client.query(`SET TimeZone TO 'Asia/Tokyo'`)
  await client.query({ name: 'plus', text: 'SELECT $1::int + 1 AS sum', values: [1] })
  await provider.copy([name])
  expect(await client.value('SHOW TimeZone')).toBe('Asia/Tokyo')
  expect((await client.query({ name: 'plus', text: 'SELECT $1::int + 1 AS sum', values: [2] })).rows).toEqual(
    [{ sum: 3 }],
  )
  await client.end()
})

it('copies are removed when the provider is closed, and the directory is kept', async () => {
  const { directory, provider, name, copies } = await start()
  await provider.copy([name])
  expect(copies()).toHaveLength(1)
  await provider.close()
  expect(existsSync(directory)).toBe(true)
  expect(copies()).toEqual([])
})
