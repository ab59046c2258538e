import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { describe, expect, it, onTestFinished } from 'vitest'
import { COMMAND, Command } from '../../support/clients/command.js'
import { send } from '../../support/clients/raw-http.js'
import { connected } from '../../support/databases/databases.js'
import {
  connectOverHttp,
  createPostgres,
  createWebhook,
  FREE,
  listedTokens,
  PAID,
} from '../../support/servers/instanode.js'
import { ok, refused } from '../../support/servers/understudy.js'

async function overStdio(env: Record<string, string> = {}): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' })
  const options = {
    command: process.execPath,
    args: [COMMAND, 'instanode'],
    env: { TMPDIR: tmpdir(), ...env },
  }
  await client.connect(new StdioClientTransport(options))
  onTestFinished(() => client.close())
  return client
}

describe('understudy instanode, on stdio', () => {
  it('is anonymous without INSTANODE_TOKEN', async () => {
    const client = await overStdio()
    expect(await refused(client, 'list_resources')).toContain('INSTANODE_TOKEN')
    expect((await createWebhook(client)).tier).toBe('anonymous')
  })

  // fidelity instanode/mcp, same: `INSTANODE_TOKEN` names the account.
  it('calls as the account of INSTANODE_TOKEN', async () => {
    const client = await overStdio({ INSTANODE_TOKEN: FREE })
    const { token } = await createWebhook(client)
    expect(await listedTokens(client)).toEqual([token])
  })

  it('creates receivers that accept deliveries, on a port that has no MCP', async () => {
    const client = await overStdio()
    const { receive_url } = await createWebhook(client)
    expect((await send(receive_url, { body: 'x' })).status).toBe(200)
    expect((await send(receive_url, { method: 'GET' })).json).toMatchObject({ total: 1 })
    expect((await send(new URL('/mcp', receive_url).href, { body: {} })).status).toBe(405)
  })

  it('creates databases that answer, and ends with exit code 0 when its client disconnects', async () => {
    const command = new Command(['instanode'])
    const params = { name: 'create_postgres', arguments: { name: 'db' } }
    command.say({ jsonrpc: '2.0', id: 1, method: 'tools/call', params })
    const [line = ''] = await command.lines(1)
    const { connection_url } = JSON.parse(line).result.structuredContent
    const session = await connected(connection_url)
    expect(await session.value('SELECT 1 + 1')).toBe(2)
    command.process.stdin.end()
    expect(await command.exit).toEqual({ code: 0, stdout: `${line}\n`, stderr: '' })
    expect(await session.ended).toBe('57P01')
  })
})

it('understudy instanode --http serves MCP on that port, until a signal ends it', async () => {
  const command = new Command(['instanode', '--http', '0'])
  const [url = ''] = await command.lines(1)
  await ok(await connectOverHttp(url, PAID), 'list_resources')
  command.process.kill('SIGTERM')
  expect(await command.exit).toMatchObject({ code: 0, stderr: '' })
})

// fidelity instanode/auth, differs: Bearers are minted. Here: The accounts of a world also have fixed
// bearers, so that tests can write them down.
it('understudy up accepts the tokens that it prints', async () => {
  const command = new Command(['up', '--safebot-port', '0', '--json'])
  const { instanode, accounts } = JSON.parse((await command.lines(1))[0] ?? '')
  expect(accounts).toHaveLength(3)
  for (const { token } of accounts) await ok(await connectOverHttp(instanode.mcp, token), 'list_resources')
})

it('--data-dir keeps the contents of a database after the process has ended', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'understudy-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  const start = async () => {
    const command = new Command(['instanode', '--http', '0', '--data-dir', dir])
    return { command, client: await connectOverHttp((await command.lines(1))[0] ?? '') }
  }
  const first = await start()
  const { connection_url } = await createPostgres(first.client)
  const writer = await connected(connection_url)
  await writer.query("CREATE TABLE note AS SELECT 'kept' AS text")
  await writer.end()
  first.command.process.kill('SIGTERM')
  expect((await first.command.exit).code).toBe(0)

  const second = await start()
  const url = new URL(connection_url)
  url.port = new URL((await createPostgres(second.client)).connection_url).port
  const reader = await connected(url.href)
  expect(await reader.value('SELECT text FROM note')).toBe('kept')
  await reader.end()
})

it.each([
  [['up', '--databases', 'sqlite'], 2, '"sqlite"'],
  [['instanode', '--http', 'x'], 2, '"x"'],
  [['up', '--data-dir', '/proc/x'], 1, '/proc/x cannot be written (ENOENT): name a directory'],
  [['up', '--data-dir', 'package.json/x'], 1, 'package.json/x cannot be written (ENOTDIR): name a directory'],
  [
    ['up', '--data-dir', 'package.json'],
    1,
    'package.json/lock cannot be written (ENOTDIR): name a directory',
  ],
  [['up', '--instanode-port', '-1'], 2, '--instanode-port is "-1": it must be 0 to 65535'],
])('%j ends with one sentence on stderr', async (args, code, part) => {
  const exit = await new Command(args).exit
  expect([exit.code, exit.stdout]).toEqual([code, ''])
  expect(exit.stderr).toMatch(/^understudy: [^\n]+\n$/)
  expect(exit.stderr).toContain(part)
})
