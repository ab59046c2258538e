import { once } from 'node:events'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { describe, expect, it, onTestFinished } from 'vitest'
import { COMMAND, Command } from '../../support/clients/command.js'
import { rpc } from '../../support/clients/raw-http.js'
import { connectOver } from '../../support/gateway/gateway.js'
import { call, ok, startUnderstudy, textOf } from '../../support/servers/understudy.js'

const LOOSE = join(import.meta.dirname, '../../support/servers/loose-server.mjs')

async function file(name: string, content: unknown): Promise<string> {
  const path = join(await mkdtemp(join(tmpdir(), 'gateway-')), name)
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}
const policyFile = (more: object = {}) =>
  file('policy.json', { version: '1', default: 'allow', tools: {}, ...more })

describe('understudy gateway', () => {
  // fidelity gateway/intercept, same: A denial is a tool result and no JSON-RPC error.
  it('serves HTTP in front of a URL, and exits with 0 on SIGTERM', async () => {
    const understudy = await startUnderstudy()
    const policy = await policyFile({ hide: ['next_task'] })
    const command = new Command(['gateway', policy, '--upstream', understudy.safebot.mcpUrl, '--port', '0'])
    const [url = ''] = await command.lines(1)
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/mcp$/)
    const client = await connectOver(url)
    expect((await client.listTools()).tools).toHaveLength(7)
    expect(textOf(await call(client, 'next_task', {}))).toContain('POLICY DENIED')
    command.process.kill('SIGTERM')
    expect(await command.exit).toMatchObject({ code: 0, stderr: '' })
  })

  it('connects an SDK client on stdio with a program, and writes only messages to stdout', async () => {
    const policy = await policyFile({ hide: ['next_task'] })
    const args = [COMMAND, 'gateway', policy, '--', process.execPath, COMMAND, 'safebot', '--clock', 'manual']
    const client = new Client({ name: 'agent', version: '1' })
    await client.connect(new StdioClientTransport({ command: process.execPath, args }))
    onTestFinished(() => client.close())
    expect((await client.listTools()).tools).toHaveLength(7)
    const room = await ok(client, 'create_room')
    await ok(client, 'room_status', { url: room.url })
  })

  it('ends with 0 when its client on stdio disconnects', async () => {
    const understudy = await startUnderstudy()
    const command = new Command(['gateway', await policyFile(), '--upstream', understudy.safebot.mcpUrl])
    command.say(rpc('tools/list'))
    await command.lines(1)
    command.process.stdin.end()
    expect(await command.exit).toMatchObject({ code: 0, stderr: '' })
  })

  it('ends with the exit code of its program, after it has answered open requests', async () => {
    const command = new Command(['gateway', await policyFile(), '--', process.execPath, LOOSE])
    command.say(rpc('tools/call', { name: 'die' }, 9))
    const { code, stdout } = await command.exit
    expect(code).toBe(7)
    expect(JSON.parse(stdout)).toMatchObject({
      id: 9,
      error: { message: 'the upstream has ended (exit code 7)' },
    })
  })
})

describe('an invalid start of understudy gateway is explained in one sentence', () => {
  const SECRET = 'sk-secret'
  it.each<[string, (policy: string) => string[] | Promise<string[]>, number, RegExp]>([
    ['no policy', () => ['--upstream', 'http://127.0.0.1:9/mcp'], 2, /has no policy: name one/],
    ['no upstream', policy => [policy], 2, /has no upstream/],
    ['two upstreams', policy => [policy, '--upstream', 'http://x/mcp', '--', 'y'], 2, /has two upstreams/],
    ['a URL that is none', policy => [policy, '--upstream', 'nonsense'], 2, /the upstream is "nonsense"/],
    [
      'a password in it',
      policy => [policy, '--upstream', `http://u:${SECRET}@x/mcp`],
      2,
      /has a password in it/,
    ],
    [
      'nobody there',
      policy => [policy, '--upstream', 'http://127.0.0.1:9/mcp'],
      1,
      /cannot be reached \(ECONNREFUSED\)/,
    ],
    ['no such command', policy => [policy, '--', '/nowhere/at-all'], 1, /there is no such command/],
    ['no such file', () => ['/nowhere.json', '--', 'true'], 1, /cannot read the policy "\/nowhere.json"/],
    ['a bad policy', async () => [await file('p.json', '{"version":"2"}'), '--', 'true'], 1, /version/],
    [
      'a bad header',
      policy => [policy, '--upstream', 'http://x', '--upstream-header', SECRET],
      2,
      /has no name/,
    ],
    [
      'a broken one',
      policy => [policy, '--upstream', 'http://x', '--upstream-header', `A B: ${SECRET}`],
      2,
      /cannot be sent/,
    ],
    [
      'bad grants',
      async p => [p, '--upstream', 'http://x', '--grants', await file('g.json', SECRET)],
      1,
      /is not JSON/,
    ],
    ['a bad port', policy => [policy, '--upstream', 'http://x', '--port', 'x'], 2, /--port is "x"/],
    [
      'a bad hold',
      policy => [policy, '--upstream', 'http://x', '--approval-hold', '-1'],
      2,
      /--approval-hold/,
    ],
    ['a bad handle', policy => [policy, '--upstream', 'http://x', '--handle', 'x'], 2, /pass, drop, grant/],
  ])('%s', async (_, args, code, says) => {
    const { exit } = new Command(['gateway', ...(await args(await policyFile()))])
    const ended = await exit
    expect(ended).toMatchObject({ code, stdout: '' })
    expect(ended.stderr).toMatch(says)
    expect(ended.stderr).not.toContain(SECRET)
    expect(ended.stderr).not.toContain('    at ')
  })

  it('a busy port', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    onTestFinished(() => void taken.close())
    const address = taken.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const args = ['gateway', await policyFile(), '--port', String(port), '--', process.execPath, LOOSE]
    expect(await new Command(args).exit).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/is in use: .* with --port \(0 picks/),
    })
  })
})
