import { describe, expect, it } from 'vitest'
import {
  createPostgres,
  createWebhook,
  databaseOf,
  FREE,
  HOUR,
  listed,
  listedTokens,
  PAID,
  startInstanode,
} from '../../support/servers/instanode.js'
import { call, ok, textOf } from '../../support/servers/understudy.js'

describe('the six tools', () => {
  // fidelity instanode/mcp, same: The server `instanode.dev` has six tools with their hints.
  it('are listed under the name of the service, each with its four hints', async () => {
    const client = await (await startInstanode()).client()
    expect(client.getServerVersion()?.name).toBe('instanode.dev')
    const { tools } = await client.listTools()
    expect(
      tools.map(({ name, annotations }) => [
        name,
        annotations?.readOnlyHint,
        annotations?.destructiveHint,
        annotations?.idempotentHint,
        annotations?.openWorldHint,
      ]),
    ).toEqual([
      ['create_postgres', false, false, false, true],
      ['create_webhook', false, false, false, true],
      ['list_resources', true, false, true, true],
      ['claim_token', false, false, true, true],
      ['delete_resource', false, true, true, true],
      ['get_api_token', false, false, false, true],
    ])
  })

  // fidelity instanode/tiers, same: An anonymous database has 10 MB, 2 connections and 24 hours.
  // fidelity instanode/tiers, differs: A note says what the caller can do, with a link. Here: The note has
  // other words and the same link, because the project does not copy texts.
  // fidelity instanode/tiers, differs: Times have nanoseconds on creation and microseconds in lists. Here:
  // They have milliseconds, because the clock counts in milliseconds.
  // fidelity instanode/postgres, differs: The database URL has `usr_` and `db_` with 12 digits of the token,
  // a password of 24 digits and `sslmode`. Here: It names this machine without `sslmode`, because clients
  // would refuse a self-signed certificate.
  // fidelity instanode/mcp, differs: The text has labels in a fixed order. Here: It has the same labels in
  // other words, and `structuredContent`, so that a test need not parse text.
  it('create_postgres returns a URL named after its token, and the anonymous limits', async () => {
    const { client, databases } = await startInstanode()
    const result = await call(await client(), 'create_postgres', { name: ' orders ' })
    const made = result.structuredContent ?? {}
    expect(made).toMatchObject({
      name: 'orders',
      tier: 'anonymous',
      expires_at: '2026-01-02T00:00:00.000Z',
      limits: { storage_mb: 10, connections: 2, expires_in: '24h' },
      note: expect.stringContaining(`https://instanode.dev/start?token=${made.token}`),
    })
    const name = databaseOf(String(made.token))
    const digits = name.slice('db_'.length)
    expect(made.connection_url).toMatch(
      new RegExp(`^postgres://usr_${digits}:[0-9a-f]{24}@127\\.0\\.0\\.1:\\d+/db_${digits}$`),
    )
    expect(databases.live.get(name)?.limits).toEqual({ storageBytes: 10 * 1024 * 1024, connections: 2 })
    const text = textOf(result)
    const labels = ['Token:', 'Name:', 'Tier:', 'Connection URL:', 'Storage: 10 MB', 'Max connections: 2']
    expectInOrder(text, [...labels, 'Expires in: 24h', 'Note:', `DATABASE_URL=${made.connection_url}`])
    expect(text).toContain('pgvector')
  })

  // fidelity instanode/tiers, same: An anonymous receiver stores 100 requests, and `limits.expires_in` is
  // `24h`.
  it('create_webhook returns a URL on the same port, and the anonymous limits', async () => {
    const { client, url } = await startInstanode()
    const result = await call(await client(), 'create_webhook', { name: 'hook' })
    const made = result.structuredContent ?? {}
    expect(made).toMatchObject({
      receive_url: `${url}/webhook/receive/${made.token}`,
      limits: { requests_stored: 100, expires_in: '24h' },
    })
    const labels = ['Token:', 'Name: hook', 'Tier: anonymous', 'Receive URL:', 'Requests stored: 100']
    expectInOrder(textOf(result), [...labels, 'Expires in: 24h', 'Note:', 'curl -X POST', 'curl '])
  })

  // fidelity instanode/tiers, same: A resource of a paid account has the tier `paid` and no expiry.
  it('a paid account gets higher limits and no expiry', async () => {
    const { client, databases } = await startInstanode()
    const paid = await client(PAID)
    const result = await call(paid, 'create_postgres', { name: 'big' })
    expect(result.structuredContent).toMatchObject({
      tier: 'paid',
      expires_at: null,
      limits: { storage_mb: 500, connections: 5, expires_in: null },
    })
    expect(textOf(result)).not.toContain('Expires in')
    const { token } = result.structuredContent ?? {}
    expect(databases.live.get(databaseOf(String(token)))?.limits).toEqual({
      storageBytes: 500 * 1024 * 1024,
      connections: 5,
    })
    expect((await createWebhook(paid)).limits).toEqual({ requests_stored: 1000, expires_in: null })
  })

  // fidelity instanode/contracts, same: Under `documented`, a resource of a free account is linked to it,
  // with the anonymous tier and 24 hours.
  it('a resource of a free account is linked to it, with the anonymous tier and expiry', async () => {
    const { client } = await startInstanode()
    const free = await client(FREE)
    const { token, tier, expires_at } = await createPostgres(free)
    expect([tier, expires_at]).toEqual(['anonymous', '2026-01-02T00:00:00.000Z'])
    expect(await listedTokens(free)).toEqual([token])
  })

  // fidelity instanode/contracts, same: Under `documented`, a listed resource has `resource_type` and `type`.
  // fidelity instanode/list, same: The list begins with the last resource created.
  // fidelity instanode/postgres, same: The list does not show the database URL.
  it('list_resources shows the newest resource first, and no database URL', async () => {
    const { client, instance } = await startInstanode()
    const paid = await client(PAID)
    const database = await createPostgres(paid, 'one')
    await instance.clock.advance(HOUR)
    const hook = await createWebhook(paid, 'two')
    const result = await call(paid, 'list_resources')
    const { id, token } = hook
    expect(result.structuredContent).toEqual({
      resources: [
        {
          ...{ id, token, type: 'webhook', resource_type: 'webhook', name: 'two', tier: 'paid' },
          ...{ status: 'active', created_at: '2026-01-01T01:00:00.000Z', expires_at: null },
        },
        expect.objectContaining({ token: database.token, name: 'one' }),
      ],
    })
    const text = textOf(result)
    expectInOrder(text, ['2 resource(s) on this account:', `[webhook] ${token}`, 'tier:', 'status: active'])
    expectInOrder(text, [
      'name: two',
      'expires: never',
      'created: 2026-01-01T01',
      `[postgres] ${database.token}`,
    ])
    expect(text).not.toContain('postgres://')
  })

  // fidelity instanode/mcp, same: The text of `list_resources` has a sentence for an account without
  // resources.
  it('list_resources has a sentence for an account without resources', async () => {
    const { client } = await startInstanode()
    const free = await client(FREE)
    expect(await listed(free)).toEqual([])
    expect(textOf(await call(free, 'list_resources'))).toContain('owns no resources')
  })

  // fidelity instanode/ids, same: A token in capitals is accepted, and answers show the canonical one.
  it('claim_token and delete_resource name the resource', async () => {
    const { client } = await startInstanode()
    const { token, id } = await createWebhook(await client(), 'hook')
    const paid = await client(PAID)
    const claimed = await call(paid, 'claim_token', { token: ` ${token.toUpperCase()} ` })
    expect(claimed.structuredContent).toEqual({
      ...{ id, token, resource_type: 'webhook', name: 'hook', tier: 'paid', status: 'active' },
    })
    expectInOrder(textOf(claimed), [
      'Resource type: webhook',
      `Token: ${token}`,
      'Tier: paid',
      'Status:',
      'Name:',
    ])
    const deleted = await call(paid, 'delete_resource', { token })
    expect(deleted.structuredContent).toMatchObject({ id, token, status: 'deleted' })
    expectInOrder(textOf(deleted), [`Token: ${token}`, 'Status: deleted', 'Message:'])
  })

  // fidelity instanode/mcp, same: The text of `get_api_token` has the token on a line of its own.
  it('get_api_token puts the token on a line of its own', async () => {
    const { client } = await startInstanode()
    const result = await call(await client(FREE), 'get_api_token')
    const { token, expires_in } = result.structuredContent ?? {}
    expect(expires_in).toBe(2_592_000)
    expect(textOf(result)).toContain(`Expires in: 2592000 seconds (~30 days)\nToken:\n${token}\n`)
    expect(textOf(result)).toContain('INSTANODE_TOKEN')
  })

  it('the same seed and calls give the same ids, tokens and URLs', async () => {
    const run = async () => {
      const { client } = await startInstanode({ seed: 'same' })
      const paid = await client(PAID)
      const { connection_url, ...database } = await createPostgres(paid)
      const { receive_url: _, ...hook } = await createWebhook(paid)
      return [database, connection_url, hook, await ok(paid, 'get_api_token')]
    }
    expect(await run()).toEqual(await run())
  })
})

function expectInOrder(text: string, parts: string[]): void {
  let from = 0
  for (const part of parts) {
    const at = text.indexOf(part, from)
    if (at < 0) throw new Error(`${JSON.stringify(part)} is not where it should be in:\n${text}`)
    from = at + part.length
  }
}
