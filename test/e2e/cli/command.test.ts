import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { VERSION } from '../../../shared/util/version.js'
import { Command } from '../../support/clients/command.js'
import { rpc, send } from '../../support/clients/raw-http.js'

describe('understudy up', () => {
  it('prints one line with --json when it is ready, and stops with exit code 0', async () => {
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

  it('prints lines that a shell can eval', async () => {
    const command = new Command(['up', '--safebot-port', '0'])
    const lines = await command.lines(5)
    expect(lines.every(line => line.startsWith('#') || /^export [A-Z_]+='[^']*'$/.test(line))).toBe(true)
  })

  it('reads options from the environment, and prefers the command line', async () => {
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

  it('names the busy port and a remedy, with exit code 1', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => void server.close())
    await new Promise(resolve => server.once('listening', resolve))
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const { code, stderr } = await new Command(['up', '--safebot-port', String(port)]).exit
    expect(code).toBe(1)
    expect(stderr).toBe(
      `understudy: port ${port} on 127.0.0.1 is in use: stop the program that listens there, or choose another port with --safebot-port (0 picks a free one)\n`,
    )
  })

  it('names the file that it cannot write, with exit code 1', async () => {
    const { code, stderr } = await new Command(['up', '--safebot-port', '0', '--journal', '/nowhere/j']).exit
    expect([code, stderr]).toEqual([1, expect.stringContaining('"/nowhere/j"')])
  })
})

describe('an invalid command line', () => {
  it.each([
    [['--bogus'], "'--bogus'"],
    [['up', '--clock', 'fast'], '"fast"'],
    [['up', '--contract', 'wishful'], 'documented, observed'],
    [['up', '--safebot-port', '99999'], '"99999"'],
    [['up', '--safebot-port', '4802x'], '"4802x"'],
    [['up', '--safebot-port'], "'--safebot-port"],
    [['up', '--connect', 'http://127.0.0.1:4801'], 'up has no option --connect'],
    [['up', '--control-port', '-1'], '--control-port is "-1": it must be 0 to 65535'],
    [['up', '--journal', '--json'], '--journal has no value before --json'],
    [['up', '--seeed', '1'], "unknown option '--seeed': did you mean --seed?"],
    [['up', '--contract', 'observd'], 'did you mean observed?'],
    [['check', 'P', '--josn'], "unknown option '--josn': did you mean --json?"],
    [['--seed', 'x', 'up'], "unknown option '--seed'"],
    [['dmeo'], "unknown command 'dmeo': did you mean demo?"],
    [['help', 'dmeo'], "unknown command 'dmeo': did you mean demo?"],
    [['rehearse', 'P', '--data-dir', 'd', '--clock', 'manual'], 'rehearse has no option --data-dir'],
    [['up', '--policy', 'P', '--grants', 'g.json', '--audit', '/nonexistent/a'], 'up has no option --grants'],
    [['check', 'P', '--world', 'nope', '--port', '1'], 'check has no option --world'],
    [
      ['gateway', 'P', '--upstream', 'http://127.0.0.1:1', '--journal', 'j'],
      'gateway has no option --journal',
    ],
    [['demo', '--host', '300.1.1.1', '--strict'], 'demo has no option --host'],
    [
      ['instanode', '--control-port', '9'],
      'instanode has no option --control-port: it is an option of up, rehearse, demo',
    ],
    [['down'], "unknown command 'down'"],
    [['up', 'and', 'away'], '"and away"'],
    [[], 'no command'],
  ])('%j ends with one sentence that has the value, and exit code 2', async (args, part) => {
    const { code, stdout, stderr } = await new Command(args).exit
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(/^understudy: [^\n]+\n$/)
    expect(stderr).toContain(part)
  })
})

/** The options that a help text lists. */
const optionsIn = (help: string) => [...help.matchAll(/^ {2}(?:-\w, )?--([\w-]+)/gm)].map(([, name]) => name)

describe('help', () => {
  it.each([['--help'], ['-h'], ['help']])('%s lists the commands, with exit code 0', async word => {
    const { code, stdout, stderr } = await new Command([word]).exit
    expect([code, stderr]).toEqual([0, ''])
    for (const name of ['up', 'instanode', 'safebot', 'gateway', 'rehearse', 'check', 'demo', 'help']) {
      expect(stdout).toMatch(new RegExp(`^  ${name}  `, 'm'))
    }
  })

  it.each([
    [
      ['check', '--help'],
      ['version', 'dialect', 'json', 'strict', 'help'],
    ],
    [
      ['check', '-h'],
      ['version', 'dialect', 'json', 'strict', 'help'],
    ],
    [
      ['help', 'demo'],
      ['version', 'control-port', 'policy', 'fast', 'help'],
    ],
  ])('%j lists only the options of that command', async (args, options) => {
    const { code, stdout, stderr } = await new Command(args).exit
    expect([code, stderr, optionsIn(stdout)]).toEqual([0, '', options])
  })

  it('has the options of understudy up, with their defaults', async () => {
    const { stdout } = await new Command(['up', '--help']).exit
    expect(optionsIn(stdout)).toEqual(
      expect.arrayContaining(['host', 'safebot-port', 'clock', 'seed', 'contract', 'journal', 'json']),
    )
    expect(stdout.replace(/\s+/g, ' ')).toContain('port of Safebot; 0 picks a free one (default: 4802)')
  })

  it.each([[['--version']], [['-v']], [['up', '--version']]])('%j prints the version', async args => {
    expect(await new Command(args).exit).toEqual({ code: 0, stdout: `${VERSION}\n`, stderr: '' })
  })
})

describe('the environment', () => {
  it('has no effect if a variable belongs to an option of another command', async () => {
    const command = new Command(['check', 'nowhere.json'], {
      UNDERSTUDY_PORT: 'nonsense',
      UNDERSTUDY_GRANTS: 'x',
    })
    expect(await command.exit).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^understudy: cannot read "nowhere.json"[^\n]*\n$/),
    })
  })

  it('has a warning for a variable that no command has, and none for those that up prints', async () => {
    const { stderr } = await new Command(['check', 'nowhere.json'], {
      UNDERSTUDY_SEEED: '1',
      UNDERSTUDY_ZZZ: '1',
      UNDERSTUDY_INSTANODE_MCP: 'http://127.0.0.1:4801/mcp',
      UNDERSTUDY_SAFEBOT_MCP: 'http://127.0.0.1:4802/mcp',
      UNDERSTUDY_GATEWAY_INSTANODE: 'http://127.0.0.1:4803/mcp',
      UNDERSTUDY_GATEWAY_SAFEBOT: 'http://127.0.0.1:4804/mcp',
      UNDERSTUDY_CONTROL: 'http://127.0.0.1:4800',
    }).exit
    expect(stderr.split('\n').sort()).toEqual([
      '',
      expect.stringContaining('cannot read'),
      'understudy: no command has an option for UNDERSTUDY_SEEED: did you mean UNDERSTUDY_SEED?',
      'understudy: no command has an option for UNDERSTUDY_ZZZ: it is ignored',
    ])
  })

  it('is named in the error if the value of a variable is invalid', async () => {
    const { code, stderr } = await new Command(['up'], { UNDERSTUDY_CONTROL_PORT: '-1' }).exit
    expect([code, stderr]).toEqual([
      2,
      'understudy: UNDERSTUDY_CONTROL_PORT is "-1": it must be 0 to 65535, and 0 picks a free port\n',
    ])
  })
})
