import { describe, expect, it } from 'vitest'
import { DIALECT_VERSIONS } from '../../../servers/gateway/policy/index.js'
import { Command } from '../../support/clients/command.js'
import { connectOver, inFrontOf, startGateway } from '../../support/gateway/gateway.js'
import { temporaryFile } from '../../support/gateway/rehearse.js'
import { call, startUnderstudy, textOf } from '../../support/servers/understudy.js'

const ONCE = `version: "1"
default: deny
tools:
  room_status: { rules: [{ name: once, rate_limit: 1/hour }] }
`
const SPENDING = 'version: "1"\ntools:\n  room_status: { spend: { daily: 50.00 } }\n'
const ASKING = 'version: "1"\ntools:\n  room_status: { rules: [{ name: ask, action: require_approval }] }\n'

describe('the dialect of a gateway', () => {
  // fidelity gateway/intercept, same: With `intercept@2026-04`, quota also returns after a tool error.
  it.each([
    ['intercept@2026-03', 'kept', true],
    ['intercept@2026-04', 'refunded', false],
  ] as const)('with %s, the quota of a tool error is %s', async (dialect, quota, denied) => {
    const understudy = await startUnderstudy()
    const upstream = understudy.safebot.mcpUrl
    const policy = await temporaryFile('policy.yaml', ONCE)
    const gateway = await startGateway({ policy, dialect, upstream, clock: understudy.clock })
    const client = await connectOver(gateway.url)
    understudy.faults.set([
      { server: 'safebot', tool: 'room_status', when: { nth: 1 }, do: { toolError: 'down' } },
    ])
    await call(client, 'room_status', { url: 'x' })
    expect(gateway.audit.entries()).toMatchObject([{ upstream: { ended: 'tool_error', quota } }])
    const second = await call(client, 'room_status', { url: 'x' })
    expect(textOf(second).includes('POLICY DENIED')).toBe(denied)
  })

  it('is the newest by default', async () => {
    const policy = await temporaryFile('policy.yaml', ASKING)
    const { code, stderr } = await gatewayOf(policy, '--dialect', 'intercept@2026-03')
    expect(code).toBe(1)
    expect(stderr).toContain('which intercept@2026-03 does not have: intercept@2026-04 has it')
    const { safebot, clock } = await startUnderstudy()
    const gateway = await startGateway({ policy, upstream: safebot.mcpUrl, clock })
    expect(gateway.view.policy).toMatchObject({ dialect: 'intercept' })
  })

  it('has to be a published version', async () => {
    const policy = await temporaryFile('policy.yaml', ONCE)
    const { code, stderr } = await gatewayOf(policy, '--dialect', 'intercept@2026-05')
    expect(code).toBe(2)
    expect(stderr).toContain(`use one of ${DIALECT_VERSIONS.join(', ')}`)
  })
})

// fidelity gateway/intercept, absent: `spend` limits payments after error -32042. Here: The gateway does not
// start with such a policy, because it pays for nothing and sees no price.
it('a gateway does not start with a policy that limits spending, and gives the reason', async () => {
  const { code, stdout, stderr } = await gatewayOf(await temporaryFile('policy.yaml', SPENDING))
  expect([code, stdout]).toEqual([1, ''])
  expect(stderr).toBe(
    'understudy: the policy limits spending in line 3, which the built-in gateway cannot enforce: it pays for nothing, so it never knows a price: remove spend to enforce the rest of the policy. understudy check explains the policy\n',
  )
})

describe('the text of denials', () => {
  // fidelity gateway/intercept, differs: The text of a denial begins with `[INTERCEPT POLICY DENIED]`. Here:
  // It begins with `[UNDERSTUDY POLICY DENIED]`, because the gateway is another product. `--denial-text
  // intercept` has the original.
  // fidelity gateway/policylayer, differs: The text of a denial begins with `[POLICY DENIED]`. Here: It
  // begins with `[UNDERSTUDY POLICY DENIED]`, because the gateway is another product. `--denial-text
  // policylayer` has the original.
  it.each([
    ['understudy', '[UNDERSTUDY POLICY DENIED] claim_task: Tool "claim_task" is not permitted by policy'],
    ['intercept', '[INTERCEPT POLICY DENIED] Tool "claim_task" is not permitted by policy'],
    ['policylayer', '[POLICY DENIED] Tool "claim_task" is not permitted by policy'],
  ] as const)('is the text of %s if an option selects it', async (denialText, text) => {
    const understudy = await startUnderstudy()
    const gateway = await inFrontOf(understudy, 'safebot', { default: 'deny', tools: {} }, { denialText })
    const denied = await call(await connectOver(gateway.url), 'claim_task', { url: 'x' })
    expect([denied.isError, textOf(denied)]).toEqual([true, text])
  })
})

function gatewayOf(policy: string, ...more: string[]) {
  return new Command(['gateway', policy, '--upstream', 'http://127.0.0.1:9/mcp', '--port', '0', ...more]).exit
}
