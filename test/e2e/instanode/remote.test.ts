import { createServer, type RequestListener } from 'node:http'
import { tmpdir } from 'node:os'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { describe, expect, it, onTestFinished } from 'vitest'
import { RemoteInstanode } from '../../../servers/instanode/client/index.js'
import { createInstance } from '../../../servers/understudy/instance.js'
import type { ContractName } from '../../../shared/contract.js'
import { COMMAND, Command } from '../../support/clients/command.js'
import { send } from '../../support/clients/raw-http.js'
import {
  connectOverHttp,
  createPostgres,
  createWebhook,
  FREE,
  listed,
  listedTokens,
  PAID,
  PAID_2,
  startInstanode,
} from '../../support/servers/instanode.js'
import { call, ok, refused, textOf } from '../../support/servers/understudy.js'

const NOBODYS = '00000000-0000-4000-8000-000000000000'

/** Instanode's tools as a client of what is at `base`; each caller brings its bearer. */
async function clientOf(base: string, contract: ContractName = 'documented') {
  const instance = await createInstance({ clock: 'manual', seed: 'remote' })
  const remote = await RemoteInstanode.create(instance, { base, contract })
  const url = await remote.listen({})
  onTestFinished(async () => {
    await remote.close()
    await instance.close()
  })
  return (token?: string) => connectOverHttp(`${url}/mcp`, token)
}

/** A stand-in, and callers of it by way of a client of its HTTP API. */
async function startBoth(contract: ContractName = 'documented') {
  const running = await startInstanode({ contract })
  return { ...running, far: await clientOf(running.url, contract) }
}

/** Something at an address that answers as it likes. */
async function startImpostor(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  await new Promise(resolve => server.once('listening', resolve))
  const address = server.address()
  return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`
}

async function overStdio(args: string[], env: Record<string, string> = {}): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' })
  const options = {
    command: process.execPath,
    args: [COMMAND, 'instanode', ...args],
    env: { TMPDIR: tmpdir(), ...env },
  }
  await client.connect(new StdioClientTransport(options))
  onTestFinished(() => client.close())
  return client
}

describe('a client of a running stand-in', () => {
  it('creates databases and receivers there, which are listed and claimed from both sides', async () => {
    const { far, client, databases } = await startBoth()
    const anonymous = await far()
    const database = await createPostgres(anonymous, ' orders ')
    expect(database).toMatchObject({
      ...{ name: 'orders', tier: 'anonymous', expires_at: '2026-01-02T00:00:00.000Z' },
      limits: { storage_mb: 10, connections: 2, expires_in: '24h' },
    })
    expect(databases.live.size).toBe(1)
    const hook = await createWebhook(await client())
    const [farPaid, nearPaid] = [await far(PAID), await client(PAID)]
    await ok(farPaid, 'claim_token', { token: hook.token })
    await ok(nearPaid, 'claim_token', { token: database.token })
    expect(await listed(farPaid)).toEqual(await listed(nearPaid))
    expect(await listedTokens(farPaid)).toEqual([hook.token, database.token])
    await ok(farPaid, 'delete_resource', { token: database.token })
    expect(await listedTokens(nearPaid)).toEqual([hook.token])
    expect(await createPostgres(farPaid)).toMatchObject({ tier: 'paid', expires_at: null })
  })

  it('mints tokens that are valid there', async () => {
    const { far, client } = await startBoth()
    const { token } = await ok(await far(FREE), 'get_api_token')
    expect(await listed(await client(String(token)))).toEqual([])
    expect(await listed(await far(String(token)))).toEqual([])
  })

  it.each(['documented', 'observed'] as const)(
    'returns each result and refusal with the words of the stand-in, when both are %s',
    async contract => {
      const { far, client } = await startBoth(contract)
      const { token: foreign } = await createWebhook(await client(PAID_2))
      const { token: own } = await createWebhook(await client(PAID))
      const calls: [string | undefined, string, Record<string, unknown>][] = [
        [undefined, 'list_resources', {}],
        ['forged', 'list_resources', {}],
        ['forged', 'get_api_token', {}],
        [FREE, 'delete_resource', { token: foreign }],
        [FREE, 'list_resources', {}],
        [PAID, 'list_resources', {}],
        [PAID, 'claim_token', { token: 'abc' }],
        [PAID, 'claim_token', { token: NOBODYS }],
        [PAID, 'claim_token', { token: foreign }],
        [PAID, 'claim_token', { token: own }],
        [PAID, 'delete_resource', { token: foreign }],
        [PAID, 'create_webhook', { name: ' ' }],
        [undefined, 'create_postgres', { name: 'é'.repeat(33) }],
        [undefined, 'create_postgres', { name: '' }],
      ]
      for (const [token, tool, args] of calls) {
        expect(await call(await far(token), tool, args)).toEqual(await call(await client(token), tool, args))
      }
    },
  )

  it('is limited by the cap like other callers', async () => {
    const { far } = await startBoth()
    const anonymous = await far()
    for (let nth = 1; nth <= 5; nth++) await createWebhook(anonymous)
    expect(await refused(anonymous, 'create_webhook', { name: 'sixth' })).toContain('cap of 5')
  })

  it('gets an existing database under the observed contract', async () => {
    const { far } = await startBoth('observed')
    const anonymous = await far()
    let last = ''
    for (let nth = 1; nth <= 5; nth++) last = (await createPostgres(anonymous)).token
    expect(await createPostgres(anonymous)).toMatchObject({ token: last, name: null, expires_at: null })
  })

  // fidelity instanode/auth, same: The MCP client sends the `User-Agent` and the content type of the real
  // one.
  it('sends the headers of the real client', async () => {
    const { far, instance } = await startBoth()
    await listed(await far(PAID))
    const [entry] = instance.journal.entries({ method: 'GET /api/me/resources' })
    expect(entry).toMatchObject({
      caller: 'acct_paid',
      headers: {
        'user-agent': 'instanode-mcp/0.7.0',
        'content-type': 'application/json',
        authorization: 'Bearer [masked]',
      },
    })
  })
})

describe('a client of a service with unexpected answers', () => {
  it.each<[string, RequestListener, string]>([
    // fidelity instanode/http, same: Over MCP, an error that is not JSON reads `upstream error (HTTP 502)`.
    [
      'a page of a proxy',
      (_, response) => response.writeHead(502).end('<html>Bad Gateway</html>'),
      '(502 upstream_error): upstream error (HTTP 502)',
    ],
    [
      'a redirect, which would carry the token elsewhere',
      (_, response) => response.writeHead(302, { Location: 'http://127.0.0.1:9' }).end(),
      'upstream error (HTTP 302)',
    ],
    ['no JSON', (_, response) => response.end('hello'), 'bad_answer'],
    ['JSON of another kind', (_, response) => response.end('[{"id":7}]'), 'bad_answer'],
    ['a dropped connection', request => request.socket.destroy(), '(0 unreachable)'],
    [
      'a code it does not know',
      (_, response) => response.writeHead(409).end('{"ok":false,"error":"busy","message":"later"}'),
      'instanode.dev error (409 busy): later',
    ],
    [
      'an error without a message',
      (_, response) => response.writeHead(404).end('{"ok":false,"error":"not_found"}'),
      '(404 not_found): not_found',
    ],
  ])('reports the answer (%s)', async (_what, listener, part) => {
    const far = await clientOf(await startImpostor(listener))
    expect(await refused(await far(PAID), 'list_resources')).toContain(part)
  })

  // fidelity instanode/mcp, same: The error for an unreachable service has the status 0.
  it('names an unreachable address and the remedy', async () => {
    const far = await clientOf('http://127.0.0.1:9')
    const text = await refused(await far(), 'create_webhook', { name: 'x' })
    expect(text).toMatch(/^instanode\.dev error \(0 unreachable\): http:\/\/127\.0\.0\.1:9 cannot be reached/)
    expect(text).toContain('--connect')
  })

  it('cancels the request when its own caller cancels', async () => {
    let letGo = () => {}
    const gone = new Promise<void>(resolve => {
      letGo = resolve
    })
    let arrived = () => {}
    const asked = new Promise<void>(resolve => {
      arrived = resolve
    })
    const far = await clientOf(
      await startImpostor((_request, response) => {
        response.on('close', letGo)
        arrived()
      }),
    )
    const abort = new AbortController()
    const calling = call(await far(PAID), 'list_resources', {}, { signal: abort.signal })
    await asked
    abort.abort()
    await expect(calling).rejects.toThrow()
    await gone
  })
})

describe('understudy instanode --connect', () => {
  it('is a client of that service on stdio, as the account of INSTANODE_TOKEN', async () => {
    const { url, client } = await startInstanode()
    const far = await overStdio(['--connect', `${url}/`], { INSTANODE_TOKEN: PAID })
    const { token } = await createWebhook(far)
    expect(await listedTokens(await client(PAID))).toEqual([token])
  })

  // fidelity instanode/mcp, same: `INSTANODE_API_URL` names the service.
  it('uses INSTANODE_API_URL as the real client does, unless the option is set', async () => {
    const { url, instance } = await startInstanode()
    const byVariable = await overStdio([], { INSTANODE_API_URL: url })
    await createWebhook(byVariable)
    const byOption = await overStdio(['--connect', url], { INSTANODE_API_URL: 'http://127.0.0.1:9' })
    await createWebhook(byOption)
    expect(instance.journal.entries({ method: 'POST /webhook/new' })).toHaveLength(2)
  })

  it('leaves INSTANODE_API_URL to the clients of a server on HTTP, where UNDERSTUDY_CONNECT also counts', async () => {
    const { url, client } = await startInstanode()
    const alone = new Command(['instanode', '--http', '0'], { INSTANODE_API_URL: url })
    await createWebhook(await connectOverHttp((await alone.lines(1))[0] ?? '', PAID))
    expect(await listed(await client(PAID))).toEqual([])
    const told = new Command(['instanode', '--http', '0'], { UNDERSTUDY_CONNECT: url })
    const { token } = await createWebhook(await connectOverHttp((await told.lines(1))[0] ?? '', PAID))
    expect(await listedTokens(await client(PAID))).toEqual([token])
  })

  it('serves MCP and nothing else with --http', async () => {
    const { url, client } = await startInstanode()
    const command = new Command(['instanode', '--connect', url, '--http', '0'])
    const [mcpUrl = ''] = await command.lines(1)
    const { token } = await createWebhook(await connectOverHttp(mcpUrl, PAID))
    expect(await listedTokens(await client(PAID))).toEqual([token])
    expect((await send(new URL('/db/new', mcpUrl).href, { body: { name: 'x' } })).status).toBe(404)
    command.process.kill('SIGTERM')
    expect(await command.exit).toMatchObject({ code: 0, stderr: '' })
  })

  it.each([
    [['--connect', 'nonsense'], '--connect is "nonsense"'],
    [
      ['--connect', 'http://127.0.0.1:1', '--databases', 'embedded'],
      '--databases cannot be used with --connect',
    ],
    [['--connect', 'http://127.0.0.1:1', '--data-dir', '/tmp'], '--data-dir cannot be used with --connect'],
  ])('%j is a usage error', async (args, part) => {
    const { code, stdout, stderr } = await new Command(['instanode', ...args]).exit
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(/^understudy: [^\n]+\n$/)
    expect(stderr).toContain(part)
  })

  it('names INSTANODE_API_URL if its value is invalid', async () => {
    const { code, stderr } = await new Command(['instanode'], { INSTANODE_API_URL: 'nonsense' }).exit
    expect([code, stderr]).toEqual([2, expect.stringContaining('INSTANODE_API_URL is "nonsense"')])
  })
})

it('the tool texts of a local and a remote service are the same', async () => {
  const { far, client } = await startBoth()
  const words = async (reach: typeof far) =>
    textOf(await call(await reach(PAID), 'create_webhook', { name: 'hook' })).replaceAll(
      /[0-9a-f-]{36}/g,
      'TOKEN',
    )
  expect(await words(far)).toBe(await words(client))
})
