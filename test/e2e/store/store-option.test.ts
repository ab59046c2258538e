import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { describe, expect, onTestFinished, test } from 'vitest'
import { COMMAND, Command, type Exit } from '../../support/clients/command.js'
import { rpc, send } from '../../support/clients/raw-http.js'
import { useStores } from '../../support/databases/store.js'

const stores = useStores()

const exitOf = (args: string[], env: Record<string, string> = {}): Promise<Exit> =>
  new Command(args, { UNDERSTUDY_SAFEBOT_PORT: '0', ...env }).exit

describe('--store', () => {
  test.each([
    ['up', (url: string) => [['up', '--json', '--store', url], {}] as const],
    ['up, by the environment', (url: string) => [['up', '--json'], { UNDERSTUDY_STORE: url }] as const],
  ])('%s: the stand-ins run on a PostgreSQL, and stop with exit code 0', async (_, line) => {
    const url = stores.freshUrl()
    const [args, env] = line(url)
    const command = new Command([...args], { UNDERSTUDY_SAFEBOT_PORT: '0', ...env })
    const { safebot } = JSON.parse((await command.lines(1))[0] ?? '')
    expect((await send(safebot.mcp, { body: rpc('ping') })).status).toBe(200)
    expect(await stores.run(`SELECT number FROM ${stores.schemaOf(url)}.replicas`)).toEqual([{ number: 1 }])
    command.process.kill('SIGTERM')
    expect(await command.exit).toMatchObject({ code: 0 })
  })

  test('up logs nothing before its banner, on a terminal that shows both streams', async () => {
    const ports = ['--instanode-port', '0', '--safebot-port', '0', '--control-port', '0']
    const args = [process.execPath, COMMAND, 'up', '--store', stores.freshUrl(), ...ports]
    const child = spawn('sh', ['-c', 'exec "$0" "$@" 2>&1', ...args], { env: {} })
    onTestFinished(() => void child.kill('SIGKILL'))
    const lines: string[] = []
    for await (const line of createInterface(child.stdout)) {
      lines.push(line)
      if (line.startsWith('{')) break
    }
    expect(lines[0]).toMatch(/^# understudy \S+ is up/)
    expect(lines.at(-2)).toMatch(/^export UNDERSTUDY_CONTROL=/)
  })

  test.each(['instanode', 'safebot'])(
    '%s alone accepts it too, and prints nothing about it to its pipe',
    async server => {
      const url = stores.freshUrl()
      const command = new Command([server, '--store', url])
      command.say(rpc('ping'))
      expect(JSON.parse((await command.lines(1))[0] ?? '')).toMatchObject({ result: {} })
      expect(await stores.run(`SELECT number FROM ${stores.schemaOf(url)}.replicas`)).toHaveLength(1)
      command.process.stdin.end()
      expect(await command.exit).toMatchObject({ code: 0 })
    },
  )

  test.each(['nonsense', 'redis://host/0', '', 'postgres://host/db?pool=many'])(
    'refuses %j as a store with one sentence and exit code 1',
    async store => {
      expect(await exitOf(['up', '--store', store])).toEqual({
        code: 1,
        stdout: '',
        stderr: expect.stringMatching(/^understudy: the store cannot be used: [^\n]+\n$/),
      })
    },
  )

  test.each([
    ['instanode', '--connect'],
    ['safebot', 'a running service'],
  ])('is refused by %s as a client of another service', async (server, beside) => {
    const args = [server, '--connect', 'http://127.0.0.1:1', '--store', 'postgres://u:hunter2@host/db']
    expect(await exitOf(args)).toEqual({
      code: 2,
      stdout: '',
      stderr: `understudy: --store cannot be used with ${beside}: leave --store out\n`,
    })
  })

  test('reports an unreachable server without the password, with exit code 1', async () => {
    expect(await exitOf(['up', '--store', 'postgres://u:hunter2@127.0.0.1:1/db'])).toEqual({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(
        /^(?!.*hunter2)understudy: the store at 127\.0\.0\.1:1\/db cannot be opened [^\n]+\n$/,
      ),
    })
  })

  test('refuses a role that may not create databases with one sentence and exit code 1, and creates nothing', async () => {
    const url = new URL(stores.freshUrl())
    const schema = stores.schemaOf(url.href)
    const role = `modest_${schema}`
    await stores.run(`CREATE ROLE ${role} LOGIN PASSWORD 'modest'`)
    await stores.run(`CREATE SCHEMA ${schema} AUTHORIZATION ${role}`)
    url.username = role
    url.password = 'modest'
    for (const command of ['up', 'instanode']) {
      expect(await exitOf([command, '--store', url.href])).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/^understudy: the role \w+ may not create databases [^\n]+\n$/),
      })
    }
    expect(await stores.run('SELECT FROM pg_tables WHERE schemaname = $1', [schema])).toEqual([])
    await stores.run(`DROP SCHEMA ${schema}`)
    await stores.run(`DROP ROLE ${role}`)
  })

  test('refuses a store of a newer version, or a role without rights, with one sentence and exit code 1', async () => {
    const url = stores.freshUrl()
    const schema = stores.schemaOf(url)
    await stores.run(`CREATE SCHEMA ${schema}`)
    await stores.run(`CREATE TABLE ${schema}.migrations (name text PRIMARY KEY)`)
    await stores.run(`INSERT INTO ${schema}.migrations VALUES ('base-99')`)
    const newer = await exitOf(['safebot', '--store', url])
    expect(newer).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^understudy: [^\n]*base-99[^\n]*\n$/),
    })

    const poor = new URL(stores.freshUrl())
    const role = `poor_${stores.schemaOf(poor.href)}`
    await stores.run(`CREATE ROLE ${role} LOGIN PASSWORD 'poor'`)
    poor.username = role
    poor.password = 'poor'
    const refused = await exitOf(['safebot', '--store', poor.href])
    await stores.run(`DROP ROLE ${role}`)
    expect(refused).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^understudy: the role may not make the schema [^\n]+ GRANT [^\n]+\n$/),
    })
  })
})
