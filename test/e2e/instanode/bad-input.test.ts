import { describe, expect, it } from 'vitest'
import { createPostgres, databaseOf, listed, PAID, startInstanode } from '../../support/servers/instanode.js'
import { refused } from '../../support/servers/understudy.js'

describe('a name', () => {
  // fidelity instanode/mcp, same: The schema refuses a bad name before the service does.
  it.each([
    ['', 'create_postgres failed: invalid arguments: name is "" (use a name of 1 to 64 characters)'],
    ['x'.repeat(65), '1 to 64 characters'],
    [7, '1 to 64 characters'],
    [null, '1 to 64 characters'],
    [['a'], '1 to 64 characters'],
    [undefined, 'name is missing'],
  ])('that is %j is refused by the schema', async (name, part) => {
    const { client, databases } = await startInstanode()
    expect(await refused(await client(), 'create_postgres', { name })).toContain(part)
    expect(databases.live.size).toBe(0)
  })

  // fidelity instanode/names, same: A name that passes the schema can still be refused by the service.
  // fidelity instanode/mcp, same: Other errors read `instanode.dev error (<status> <code>)`.
  // fidelity instanode/contracts, same: Under `documented`, a refused tool call has `isError`.
  it.each([
    [' ', 'required'],
    ['é'.repeat(33), 'this name has 66'],
    ['🎭'.repeat(17), 'this name has 68'],
    ['a\u0000b', 'control characters'],
    ['a\u001bb', 'control characters'],
  ])('that is %j passes the schema and is refused by the service', async (name, part) => {
    const { client, databases } = await startInstanode()
    for (const tool of ['create_postgres', 'create_webhook']) {
      const text = await refused(await client(), tool, { name })
      expect(text).toMatch(/^instanode\.dev error \(400 name_required\): /)
      expect(text).toContain(part)
    }
    expect(databases.live.size).toBe(0)
  })

  // fidelity instanode/names, same: A name with SQL, shell or path characters is only a name.
  it.each([
    `'; DROP DATABASE postgres; --`,
    '$(touch /tmp/owned) `id` && rm -rf / | cat > x',
    '../../etc/passwd',
    '🎭 <script>alert(1)</script> "quoted" \\',
  ])('%j is only a name, and has no effect in SQL, a shell command or a path', async name => {
    const { client, databases } = await startInstanode()
    const paid = await client(PAID)
    const { token } = await createPostgres(paid, name)
    expect(await listed(paid)).toMatchObject([{ name }])
    const spec = databases.live.get(databaseOf(token))
    expect([spec?.name, spec?.user, spec?.password]).toEqual([
      expect.stringMatching(/^db_[0-9a-f]{12}$/),
      expect.stringMatching(/^usr_[0-9a-f]{12}$/),
      expect.stringMatching(/^[0-9a-f]{24}$/),
    ])
  })
})

// fidelity instanode/mcp, same: The schema refuses bad arguments of each tool.
it.each([
  ['create_postgres', { name: 'x', size: 7 }, 'unknown argument "size"'],
  ['list_resources', { all: true }, 'this tool takes no arguments'],
  ['claim_token', {}, 'token is missing'],
  ['claim_token', { token: '' }, 'token is ""'],
  ['delete_resource', { token: 7 }, 'token is 7'],
  ['drop_everything', {}, 'Unknown tool: drop_everything'],
])('%s with %j is refused with the reason', async (tool, args, part) => {
  const { client } = await startInstanode()
  expect(await refused(await client(PAID), tool, args)).toContain(part)
})

it.each(['abc', '-', "' OR 1=1 --", '../..', 'x'.repeat(10_000), '3f2b8c1e-9d47-4a60-8e15-7b6c5d4e3f2'])(
  'the token %j is no UUID',
  async token => {
    const { client } = await startInstanode()
    const paid = await client(PAID)
    for (const tool of ['claim_token', 'delete_resource']) {
      const text = await refused(paid, tool, { token })
      expect(text).toContain('instanode.dev error (400 invalid_token)')
      expect(text.length).toBeLessThan(250)
    }
  },
)
