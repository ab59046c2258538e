import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ControlClient } from '../../../servers/understudy/control-client.js'
import { Command } from '../../support/clients/command.js'
import { connectOver } from '../../support/gateway/gateway.js'
import { call, textOf } from '../../support/servers/understudy.js'

const INSTANODE = 'fixtures/policies/policylayer/instanode.json'
const SAFEBOT = 'fixtures/policies/intercept/safebot.yaml'
const FREE_PORTS = {
  UNDERSTUDY_SAFEBOT_PORT: '0',
  UNDERSTUDY_GATEWAY_INSTANODE_PORT: '0',
  UNDERSTUDY_GATEWAY_SAFEBOT_PORT: '0',
}

const up = (...args: string[]) => new Command(['up', ...args], FREE_PORTS)

async function file(name: string, content: string): Promise<string> {
  const path = join(await mkdtemp(join(tmpdir(), 'up-policy-')), name)
  await writeFile(path, content)
  return path
}

describe('understudy up --policy', () => {
  // fidelity gateway/intercept, differs: The log has no rule for a denial by quota. Here: It has the rule, so
  // that a test can check it.
  it('denies the thirty-first claim_token in a minute, and allows it a minute later', async () => {
    const command = up('--policy', INSTANODE, '--clock', 'manual', '--json')
    const ready = JSON.parse((await command.lines(1))[0] ?? '')
    expect(ready.gateways).toEqual({ instanode: { mcp: expect.stringMatching(/\/mcp$/) } })
    const control = new ControlClient(ready.control.url)
    const agent = await connectOver(ready.gateways.instanode.mcp)
    const claim = async () => textOf(await call(agent, 'claim_token', { token: 'no-such-token' }))
    for (let made = 0; made < 30; made++) expect(await claim()).not.toContain('POLICY DENIED')
    expect(await claim()).toContain('POLICY DENIED')
    const reached = async () => (await control.journal.page({ tool: 'claim_token' })).entries.length
    expect(await reached()).toBe(30)
    await control.clock.advance(60_000)
    expect(await claim()).not.toContain('POLICY DENIED')
    expect(await reached()).toBe(31)
    const { entries } = await control.gateways.audit({ outcome: 'denied' })
    expect(entries).toMatchObject([
      { tool: 'claim_token', rule: '/tools/claim_token/limits/claim_token_rate' },
    ])
  })

  it('protects both servers, prints its URLs for a shell, and sends the configured upstream header', async () => {
    const account = ['--upstream-header', 'Authorization: Bearer understudy-paid-token']
    const command = up('--policy', `instanode=${INSTANODE}`, '--policy', SAFEBOT, ...account)
    const text = (await command.lines(16)).join('\n')
    const [, instanode = ''] = /^export UNDERSTUDY_GATEWAY_INSTANODE='(.*)'$/m.exec(text) ?? []
    const [, control = ''] = /^export UNDERSTUDY_CONTROL='(.*)'$/m.exec(text) ?? []
    expect(text).toMatch(/^export UNDERSTUDY_GATEWAY_SAFEBOT='.*'$/m)
    expect(text).toContain(`in front of instanode; enforces ${INSTANODE}; all calls count as one caller)`)
    await call(await connectOver(instanode), 'list_resources')
    const { entries } = await new ControlClient(control).journal.page({ tool: 'list_resources' })
    expect(entries).toMatchObject([{ caller: 'acct_paid' }])
    command.process.kill('SIGTERM')
    expect(await command.exit).toMatchObject({ code: 0, stderr: '' })
  })
})

it('understudy up --policy identifies callers by the tokens of their accounts', async () => {
  const command = up('--policy', INSTANODE)
  const text = (await command.lines(14)).join('\n')
  const [, url = ''] = /^export UNDERSTUDY_GATEWAY_INSTANODE='(.*)'$/m.exec(text) ?? []
  expect(text).toContain(`enforces ${INSTANODE}; callers: each account by its token, or anonymous)`)
  const [, control = ''] = /^export UNDERSTUDY_CONTROL='(.*)'$/m.exec(text) ?? []
  const agent = await connectOver(url, { Authorization: 'Bearer understudy-free-token' })
  expect((await call(agent, 'list_resources')).isError).toBeUndefined()
  const { entries } = await new ControlClient(control).journal.page({ tool: 'list_resources' })
  expect(entries).toMatchObject([{ caller: 'acct_free' }])
})

describe('an invalid start of understudy up --policy is explained in one sentence, and starts nothing', () => {
  it.each<[string, () => string[] | Promise<string[]>, number, RegExp]>([
    [
      'a server there is not',
      () => ['--policy', `skynet=${INSTANODE}`],
      2,
      /"skynet", which is not a server: use one of instanode, safebot/,
    ],
    ['no file', () => ['--policy', 'safebot='], 2, /name a file/],
    [
      'a file that is not there',
      () => ['--policy', 'safebot=/nowhere.json'],
      1,
      /cannot read the policy "\/nowhere.json"/,
    ],
    [
      'two for one server',
      () => ['--policy', INSTANODE, '--policy', `instanode=${INSTANODE}`],
      2,
      /two policies for instanode/,
    ],
    [
      'a policy that cannot be read',
      async () => [
        '--policy',
        `instanode=${await file('p.json', '{"version":"1","default":"allow","tolls":{}}')}`,
      ],
      1,
      /p\.json:1: does not know "tolls"/,
    ],
    [
      'a policy for both',
      async () => [
        '--policy',
        await file('p.json', '{"version":"1","default":"deny","tools":{"claim_token":{},"claim_task":{}}}'),
      ],
      2,
      /names tools of instanode and safebot: say which server it is for: --policy instanode=/,
    ],
    [
      'a policy for neither',
      async () => ['--policy', await file('p.json', '{"version":"1","default":"allow","tools":{}}')],
      2,
      /names no tools: say which server it is for/,
    ],
    [
      'a bad port',
      () => ['--policy', INSTANODE, '--gateway-instanode-port', 'x'],
      2,
      /--gateway-instanode-port is "x"/,
    ],
    [
      'a dialect without a policy',
      () => ['--dialect', 'intercept@2026-03'],
      2,
      /--dialect.*without --policy/,
    ],
    [
      'a policy that its dialect cannot say',
      async () => [
        '--dialect',
        'intercept@2026-03',
        '--policy',
        await file(
          'p.yaml',
          'version: "1"\ntools:\n  claim_task:\n    rules: [{ name: a, action: require_approval }]\n',
        ),
      ],
      1,
      /intercept@2026-04 has it/,
    ],
    ['a hold without a policy', () => ['--approval-hold', '5'], 2, /--approval-hold.*without --policy/],
    ['a bad hold', () => ['--policy', INSTANODE, '--approval-hold', '-1'], 2, /--approval-hold/],
  ])('%s', async (_, args, code, says) => {
    const ended = await up(...(await args())).exit
    expect(ended).toMatchObject({ code, stdout: '' })
    expect(ended.stderr).toMatch(/^understudy: [^\n]+\n$/)
    expect(ended.stderr).toMatch(says)
  })

  it('a busy port, with the option that selects another', async () => {
    const first = up('--json')
    const { control } = JSON.parse((await first.lines(1))[0] ?? '')
    const { port } = new URL(control.url)
    const { code, stderr } = await up('--policy', INSTANODE, '--gateway-instanode-port', port).exit
    expect([code, stderr]).toEqual([1, expect.stringContaining('--gateway-instanode-port')])
  })
})
