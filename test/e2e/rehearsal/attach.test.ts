import { createServer, request as send } from 'node:http'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type RehearseOptions, rehearse, type StandIns } from '../../../servers/rehearsal/index.js'
import { HttpCaller } from '../../../servers/rehearsal/via/http-caller.js'
import { Clock } from '../../../shared/clock/clock.js'
import { Command } from '../../support/clients/command.js'
import { straightTo, temporaryFile, wrongOf } from '../../support/gateway/rehearse.js'

const SCENARIO = JSON.stringify({
  steps: [{ call: 'room_status', args: { url: '$room' }, expect: 'allow' }],
})

const start = (controlUrl: string) => fetch(`${controlUrl}/rehearsal/start`, { method: 'POST' })

async function attached(attach: RehearseOptions['attach'] & object) {
  const scenario = await temporaryFile('scenario.json', SCENARIO)
  return rehearse({ scenario, via: straightTo('safebot'), attach, watchMs: 0 })
}

/** A gateway that runs before it knows its upstream. */
async function lateGateway(): Promise<{ url: string; connect(upstream: string): void }> {
  let upstream = ''
  const server = createServer((request, response) => {
    const { method, headers } = request
    const passed = send(upstream, { method, headers }, answer => {
      response.writeHead(answer.statusCode ?? 0, answer.headers)
      answer.pipe(response)
    })
    passed.on('error', () => response.writeHead(502).end())
    request.pipe(passed)
  }).listen(0, '127.0.0.1')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  await new Promise(resolve => server.once('listening', resolve))
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : undefined
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    connect(to) {
      upstream = to
    },
  }
}

/** Starts `rehearse --attach`, and resolves once the stand-ins wait. */
async function waiting(gateway: string, more: string[] = []) {
  const scenario = await temporaryFile('scenario.json', SCENARIO)
  const args = ['rehearse', '--scenario', scenario, '--via', gateway, '--attach', '--watch', '0', ...more]
  const command = new Command(args, { UNDERSTUDY_SAFEBOT_PORT: '0' })
  let banner = ''
  await new Promise<void>(resolve => {
    command.process.stderr.on('data', (chunk: Buffer) => {
      banner += chunk.toString('utf8')
      if (banner.includes('starts the rehearsal')) resolve()
    })
    void command.exit.then(() => resolve())
  })
  const [, upstream = ''] = /safebot +(\S+)/.exec(banner) ?? []
  const [, control = ''] = /POST (\S+)\/rehearsal\/start/.exec(banner) ?? []
  return { command, upstream, control }
}

describe('rehearse --attach', () => {
  it('starts the rehearsal at POST /rehearsal/start, once', async () => {
    const gateway = await lateGateway()
    const { command, upstream, control } = await waiting(gateway.url, ['--json'])
    gateway.connect(upstream)
    const answer = await start(control)
    expect([answer.status, await answer.json()]).toEqual([200, { started: true }])
    const { code, stdout } = await command.exit
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, via: gateway.url })
    expect(code).toBe(0)
  })

  it('starts the rehearsal at Enter', async () => {
    const gateway = await lateGateway()
    const { command, upstream } = await waiting(gateway.url)
    gateway.connect(upstream)
    command.say('')
    const { code, stdout } = await command.exit
    expect(stdout).toContain('1 rows: 1 ok, 0 wrong, 0 not checked')
    expect(code).toBe(0)
  })

  it('waits on when stdin ends, and is ended by a signal', async () => {
    const gateway = await lateGateway()
    const { command, control } = await waiting(gateway.url)
    command.process.stdin.end()
    expect((await fetch(`${control}/readyz`)).status).toBe(200)
    command.process.kill('SIGTERM')
    expect(await command.exit).toMatchObject({ code: 143, stdout: '' })
  })

  it.each([
    [
      ['--', 'my-gateway'],
      '--attach cannot be used with a command: use it with a gateway that you start yourself',
    ],
    [['--via', 'stdio', '--', 'my-gateway'], '--attach cannot be used with a command'],
    [[], '--attach cannot be used with the builtin gateway'],
  ])('exits 2 together with %j', async (args, why) => {
    const scenario = await temporaryFile('scenario.json', SCENARIO)
    const { code, stderr } = await new Command(['rehearse', '--scenario', scenario, '--attach', ...args]).exit
    expect(stderr).toContain(why)
    expect(code).toBe(2)
  })
})

describe('a rehearsal that is attached', () => {
  it('does not judge calls from before its start', async () => {
    const machine = new Clock()
    onTestFinished(() => machine.close())
    const rehearsal = await attached(async ({ servers }: StandIns) => {
      const url = servers[0]?.mcpUrl ?? ''
      const caller = await HttpCaller.open({ url, headers: {}, machine })
      await caller.ask('tools/call', { name: 'create_room', arguments: {} }).answer
      await caller.close()
    })
    expect(wrongOf(rehearsal)).toEqual([])
    expect(rehearsal.ok).toBe(true)
  })

  it('refuses a second start', async () => {
    const statuses: number[] = []
    await attached(async ({ controlUrl }) => {
      const answers = [await start(controlUrl), await start(controlUrl)]
      statuses.push(...answers.map(({ status }) => status))
    })
    expect(statuses).toEqual([200, 409])
  })
})
