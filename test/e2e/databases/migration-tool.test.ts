import { join } from 'node:path'
import { runner } from 'node-pg-migrate'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { EmbeddedDatabases } from '../../../servers/instanode/databases/embedded/embedded-databases.js'
import { Clock } from '../../../shared/clock/clock.js'
import { IdSource } from '../../../shared/ids.js'
import { connected, freshSpec } from '../../support/databases/databases.js'

const machine = new Clock()
let provider: EmbeddedDatabases

beforeAll(async () => {
  provider = await EmbeddedDatabases.start({ machine, ids: new IdSource('migration') })
})
afterAll(async () => {
  await provider.close()
  machine.close()
})

it('lets a migration tool apply and revert a schema', async () => {
  const { url } = await provider.provision(freshSpec())
  const migrate = (direction: 'up' | 'down', count?: number) =>
    runner({
      databaseUrl: url,
      dir: join(import.meta.dirname, '../../support/databases/migrations'),
      migrationsTable: 'pgmigrations',
      direction,
      log: () => undefined,
      ...(count !== undefined && { count }),
    })
  expect((await migrate('up')).map(({ name }) => name)).toEqual(['1_notes', '2_tags'])
  expect(await migrate('up')).toEqual([])

  const client = await connected(url)
  await client.query(`INSERT INTO notes (body, embedding, tags) VALUES ('hi', '[1,2,3]', '{a,b}')`)
  expect(
    await client.value(`SELECT body FROM notes WHERE tags @> '{a}' ORDER BY embedding <-> '[1,2,2]'`),
  ).toBe('hi')
  await client.end()

  await migrate('down', 2)
  const again = await connected(url)
  expect(await again.value(`SELECT to_regclass('notes')`)).toBeNull()
  await again.end()
})
