import { beforeAll, describe, expect, it } from 'vitest'
import { send } from '../../support/clients/raw-http.js'
import { codeOf, connected, type TestClient } from '../../support/databases/databases.js'
import { sharedPostgres } from '../../support/databases/postgres-server.js'
import {
  createPostgres,
  createWebhook,
  DAY,
  FREE,
  listed,
  listedTokens,
  PAID,
  PAID_2,
  startInstanode,
} from '../../support/servers/instanode.js'
import { ok, refused } from '../../support/servers/understudy.js'

let server: string

beforeAll(async () => {
  server = await sharedPostgres()
})

/** How many sessions the database takes at once, up to six. */
async function sessionsOf(url: string): Promise<number> {
  const open: TestClient[] = []
  try {
    while (open.length < 6) open.push(await connected(url))
  } catch (error) {
    expect(error).toMatchObject({ code: '53300' })
  }
  await Promise.all(open.map(client => client.end()))
  return open.length
}

describe.each([
  ['embedded', () => 'embedded'],
  ['a real server', () => server],
])('on databases that are %s', (_name, source) => {
  it('anonymous, claimed by a free account, claimed by a paid one: the first two end after 24 hours, and the last stays', async () => {
    const { client, instance } = await startInstanode({ databases: source() })
    const anonymous = await client()
    const kept = await createPostgres(anonymous, 'kept')
    const lost = await createPostgres(anonymous, 'lost')
    const hook = await createWebhook(anonymous, 'hook')

    const session = await connected(kept.connection_url)
    await session.query('CREATE TABLE note (text text)')
    await session.query('BEGIN')
    await session.query("INSERT INTO note VALUES ('still here')")
    await session.query('COMMIT')
    await session.end()
    expect(await sessionsOf(kept.connection_url)).toBe(2)

    const free = await client(FREE)
    await ok(free, 'claim_token', { token: lost.token })
    expect(await listed(free)).toMatchObject([{ token: lost.token, tier: 'anonymous' }])
    expect(await sessionsOf(lost.connection_url)).toBe(2)

    const paid = await client(PAID)
    expect(await refused(paid, 'claim_token', { token: lost.token })).toContain('(404 not_found)')
    await ok(paid, 'claim_token', { token: kept.token })
    await ok(paid, 'claim_token', { token: hook.token })
    expect(await sessionsOf(kept.connection_url)).toBe(5)

    const doomed = await connected(lost.connection_url)
    await instance.clock.advance(DAY)
    expect(await doomed.ended).toBe('57P01')
    expect(await codeOf(connected(lost.connection_url))).toBe('28P01')
    expect(await listed(free)).toEqual([])
    expect(await listedTokens(paid)).toEqual([hook.token, kept.token])
    expect((await send(hook.receive_url)).status).toBe(200)

    const after = await connected(kept.connection_url)
    expect(await after.value('SELECT text FROM note')).toBe('still here')
    await after.end()
  })

  it('a deletion has ended every session when it answers, and does not disturb other databases', async () => {
    const { client } = await startInstanode({ databases: source() })
    const paid = await client(PAID)
    const [gone, other] = [await createPostgres(paid), await createPostgres(await client(PAID_2))]
    const [victim, bystander] = [await connected(gone.connection_url), await connected(other.connection_url)]
    await ok(paid, 'delete_resource', { token: gone.token })
    expect(await victim.ended).toBe('57P01')
    expect(await codeOf(connected(gone.connection_url))).toBe('28P01')
    expect(await bystander.value('SELECT 1')).toBe(1)
    await bystander.end()
  })

  it('a wrong password is refused', async () => {
    const { client } = await startInstanode({ databases: source() })
    const { connection_url } = await createPostgres(await client())
    const forged = new URL(connection_url)
    forged.password = 'guessed'
    expect(await codeOf(connected(forged.href))).toBe('28P01')
  })
})

// fidelity instanode/postgres, same: pgvector is installed.
it('embedded databases have the vector extension', async () => {
  const { client } = await startInstanode({ databases: 'embedded' })
  const { connection_url } = await createPostgres(await client())
  const session = await connected(connection_url)
  await session.query('CREATE TABLE item (at vector(3))')
  await session.query("INSERT INTO item VALUES ('[1,2,3]'), ('[9,9,9]')")
  await session.query('CREATE INDEX ON item USING hnsw (at vector_l2_ops)')
  expect(await session.value("SELECT at::text FROM item ORDER BY at <-> '[1,2,4]' LIMIT 1")).toBe('[1,2,3]')
  await session.end()
})

it('an unreachable server is reported at the start', async () => {
  const databases = 'postgres://nobody:secret@127.0.0.1:1/none'
  const failure = await startInstanode({ databases }).catch((error: unknown) => error)
  expect(failure).toMatchObject({ code: 'database_server_down' })
  expect(String(failure)).not.toContain('secret')
  await expect(startInstanode({ databases: 'sqlite' })).rejects.toMatchObject({ code: 'bad_databases' })
})
