import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { VERSION } from '../../../shared/util/version.js'
import { Command } from '../../support/clients/command.js'
import { rpc, send } from '../../support/clients/raw-http.js'

describe('understudy up', () => {
  it('prints one line with --json once it answers, and stops with exit code 0', async () => {
    const command = new Command(['up', '--safebot-port', '0', '--json'])
    const [line = ''] = await command.lines(1)
    const ready = JSON.parse(line)
    expect(ready).toEqual({
      ready: true,
      version: VERSION,
      instanode: { mcp: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/mcp$/), api: expect.any(String) },
      accounts: expect.arrayContaining([
        { id: 'acct_paid', plan: 'paid', token: 'understudy-paid-token' },
        { id: 'acct_free', plan: 'free', token: 'understudy-free-token' },
      ]),
      safebot: { mcp: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/mcp$/), api: expect.any(String) },
      control: { url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) },
    })
    expect((await send(`${ready.control.url}/healthz`, { method: 'GET' })).status).toBe(200)
    expect((await send(ready.safebot.mcp, { body: rpc('ping') })).status).toBe(200)
    command.process.kill('SIGTERM')
    expect(await command.exit).toEqual({ code: 0, stdout: `${line}\n`, stderr: '' })
  })

  it('prints what a shell can eval', async () => {
    const command = new Command(['up', '--safebot-port', '0'])
    const lines = await command.lines(5)
    expect(lines.every(line => line.startsWith('#') || /^export [A-Z_]+='[^']*'$/.test(line))).toBe(true)
  })

  it('takes options from the environment, and the command line before it', async () => {
    const environment = { UNDERSTUDY_SAFEBOT_PORT: '0', UNDERSTUDY_JSON: '1', UNDERSTUDY_CLOCK: 'nonsense' }
    const command = new Command(['up', '--clock', 'manual'], environment)
    expect(JSON.parse((await command.lines(1))[0] ?? '')).toMatchObject({ ready: true })
  })

  it('appends its journal to a file', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'understudy-'))
    onTestFinished(() => rm(dir, { recursive: true }))
    const path = join(dir, 'journal.jsonl')
    const command = new Command(['up', '--safebot-port', '0', '--json', '--journal', path])
    const { safebot } = JSON.parse((await command.lines(1))[0] ?? '')
    await send(safebot.mcp, { body: rpc('tools/call', { name: 'create_room', arguments: {} }) })
    command.process.kill('SIGTERM')
    await command.exit
    const entries = (await readFile(path, 'utf8'))
      .trim()
      .split('\n')
      .map(line => JSON.parse(line))
    // The calls by which it found out that it is ready are not among them.
    expect(entries.map(({ method, tool, outcome }) => [method, tool, outcome])).toEqual([
      ['tools/call', 'create_room', 'ok'],
    ])
  })

  it('says which port is busy and what to do, with exit code 1', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => void server.close())
    await new Promise(resolve => server.once('listening', resolve))
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const { code, stderr } = await new Command(['up', '--safebot-port', String(port)]).exit
    expect(code).toBe(1)
    expect(stderr).toBe(
      `understudy: port ${port} on 127.0.0.1 is in use: stop what listens there, or choose another with --safebot-port (0 picks a free one)\n`,
    )
  })

  it('says which file it cannot write, with exit code 1', async () => {
    const { code, stderr } = await new Command(['up', '--safebot-port', '0', '--journal', '/nowhere/j']).exit
    expect([code, stderr]).toEqual([1, expect.stringContaining('"/nowhere/j"')])
  })
})

describe('a command line that cannot be carried out', () => {
  it.each([
    [['--bogus'], "'--bogus'"],
    [['up', '--clock', 'fast'], '"fast"'],
    [['up', '--contract', 'wishful'], 'documented, observed'],
    [['up', '--safebot-port', '99999'], '"99999"'],
    [['up', '--safebot-port', '4802x'], '"4802x"'],
    [['up', '--safebot-port'], "'--safebot-port"],
    [['up', '--connect', 'http://127.0.0.1:4801'], '--connect means nothing with up'],
    [['down'], '"down" is no command'],
    [['up', 'and', 'away'], '"and away"'],
    [[], 'no command'],
  ])('%j gets one sentence with the value, and exit code 2', async (args, part) => {
    const { code, stdout, stderr } = await new Command(args).exit
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(/^understudy: [^\n]+\n$/)
    expect(stderr).toContain(part)
  })
})

it('--help names every option, --version the version', async () => {
  const { code, stdout } = await new Command(['--help']).exit
  expect(code).toBe(0)
  for (const option of [
    '--host',
    '--safebot-port',
    '--clock',
    '--seed',
    '--contract',
    '--journal',
    '--json',
  ]) {
    expect(stdout).toContain(option)
  }
  expect((await new Command(['--version']).exit).stdout).toBe(`${VERSION}\n`)
})
