import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { connectOver, inFrontOf, startGateway } from '../../support/gateway/gateway.js'
import { call, startUnderstudy, textOf } from '../../support/servers/understudy.js'

const PUBLISHED = {
  default: 'deny',
  tools: {
    claim_token: { limits: [{ counter: 'claim_token_rate', window: 'minute', max: 30, scope: 'grant' }] },
  },
}
const NOBODYS = '00000000-0000-4000-8000-000000000000'

describe('a limit of thirty in a minute', () => {
  // fidelity gateway/intercept, differs: Windows follow the machine's clock. Here: They follow the instance's
  // clock, so that a test can advance to the next window.
  it('denies the thirty-first call, and allows it a minute later', async () => {
    const understudy = await startUnderstudy()
    const gateway = await inFrontOf(understudy, 'instanode', PUBLISHED)
    const client = await connectOver(gateway.url)
    for (let made = 0; made < 30; made++) await call(client, 'claim_token', { token: NOBODYS })
    const denied = await call(client, 'claim_token', { token: NOBODYS })
    expect(denied.isError).toBe(true)
    expect(textOf(denied)).toMatch(/^\[UNDERSTUDY POLICY DENIED\] claim_token: /)
    expect(denied._meta).toEqual({
      'mcp-understudy/policy': {
        outcome: 'denied',
        rule: '/tools/claim_token/limits/claim_token_rate',
        grant: 'default',
      },
    })
    const reached = () => understudy.journal.entries({ tool: 'claim_token' }).length
    expect(reached()).toBe(30)
    await understudy.clock.advance(60_000)
    expect(textOf(await call(client, 'claim_token', { token: NOBODYS }))).not.toContain('POLICY DENIED')
    expect(reached()).toBe(31)
  })

  it('allows exactly thirty of two hundred concurrent calls', async () => {
    const understudy = await startUnderstudy()
    const gateway = await inFrontOf(understudy, 'instanode', PUBLISHED)
    const client = await connectOver(gateway.url)
    const calls = Array.from({ length: 200 }, () => call(client, 'claim_token', { token: NOBODYS }))
    const denied = (await Promise.all(calls)).filter(result => textOf(result).includes('POLICY DENIED'))
    expect(denied).toHaveLength(170)
    expect(understudy.journal.entries({ tool: 'claim_token' })).toHaveLength(30)
  })

  // fidelity gateway/intercept, differs: Counters are on disk, for all instances of a user. Here: They begin
  // with the gateway, so that tests do not depend on each other.
  // fidelity gateway/intercept, absent: An edited policy is read again. Here: The gateway enforces the policy
  // from its start, so that one run has one policy.
  // fidelity gateway/policylayer, absent: An edit of the policy applies to the next request. Here: The
  // gateway enforces the policy from its start, so that one run has one policy.
  it('is read when the gateway starts, and counts as long as the gateway runs', async () => {
    const path = join(await mkdtemp(join(tmpdir(), 'limits-')), 'policy.json')
    const limited = (max: number) => ({ limits: [{ counter: 'c', window: 'day', max, scope: 'grant' }] })
    const write = (max: number) =>
      writeFile(path, JSON.stringify({ version: '1', default: 'deny', tools: { claim_token: limited(max) } }))
    await write(1)
    const understudy = await startUnderstudy()
    const { clock, instanode } = understudy
    const claims = async () => {
      const gateway = await startGateway({ policy: path, upstream: instanode.mcpUrl, clock })
      const client = await connectOver(gateway.url)
      const claim = async () =>
        textOf(await call(client, 'claim_token', { token: NOBODYS })).includes('POLICY DENIED')
      return { claim }
    }
    const first = await claims()
    expect(await first.claim()).toBe(false)
    await write(5)
    expect(await first.claim()).toBe(true)
    const second = await claims()
    expect(await second.claim()).toBe(false)
    expect(await second.claim()).toBe(false)
  })

  // fidelity gateway/policylayer, same: Under `deny`, a tool without an entry is denied.
  it('denies a tool without an entry, by default', async () => {
    const understudy = await startUnderstudy()
    const gateway = await inFrontOf(understudy, 'instanode', PUBLISHED)
    const client = await connectOver(gateway.url)
    expect(textOf(await call(client, 'list_resources'))).toContain('list_resources')
    understudy.journal.expectNothing({ tool: 'list_resources' })
    expect(gateway.audit.entries()).toMatchObject([
      { grant: 'default', tool: 'list_resources', outcome: 'denied', rule: '(default deny)', upstream: null },
    ])
  })
})
