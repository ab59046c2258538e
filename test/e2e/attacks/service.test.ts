import { describe, expect, it } from 'vitest'
import { BOTH, rpc, send } from '../../support/clients/raw-http.js'
import { createRoom, say, transcript } from '../../support/clients/room.js'
import { agentBehind, NAIVE, reached, underAttack } from '../../support/gateway/attack.js'
import { connectOver, startGateway } from '../../support/gateway/gateway.js'
import { policyFile } from '../../support/gateway/rehearse.js'
import { PAID, PAID_2 } from '../../support/servers/instanode.js'
import { call, ok, refused, startUnderstudy, textOf } from '../../support/servers/understudy.js'

const STRICT_ROOMS = 'policylayer/safebot-strict.json'
const STRICT_RESOURCES = 'policylayer/instanode-strict.json'

describe('credential-leak-via-errors', () => {
  it('passes through any policy, because none checks answers; a limit bounds the number of leaks', async () => {
    const understudy = await underAttack('credential-leak-via-errors')
    for (const policy of [NAIVE, STRICT_RESOURCES]) {
      const agent = await agentBehind(understudy, 'instanode', policy)
      expect(await refused(agent, 'create_postgres', { name: 'x' })).toContain('admin:CANARY-leak@db.invalid')
      await expect(call(agent, 'create_webhook', { name: 'x' })).rejects.toThrow('CANARY-leak')
    }
    const strict = await agentBehind(understudy, 'instanode', STRICT_RESOURCES)
    for (let calls = 0; calls < 5; calls++) await call(strict, 'create_postgres', { name: 'x' })
    expect(reached(understudy, 'create_postgres')).toBe(2 + 3)
  })
})

describe('confused-deputy', () => {
  it("shows one tenant the resources of another, unless the tenant's policy hides the list", async () => {
    const understudy = await underAttack('confused-deputy')
    const a = await agentBehind(understudy, 'instanode', NAIVE, PAID)
    expect(JSON.stringify(await ok(a, 'list_resources'))).toContain('CANARY-tenant-a')
    const b = await agentBehind(understudy, 'instanode', NAIVE, PAID_2)
    expect(JSON.stringify(await ok(b, 'list_resources'))).toContain('CANARY-tenant-a')
    const narrow = await agentBehind(
      understudy,
      'instanode',
      'policylayer/instanode.claim-token.json',
      PAID_2,
    )
    expect(await refused(narrow, 'list_resources')).toContain('not permitted by policy')
    const callers = understudy.journal.entries({ tool: 'list_resources', transport: 'http' })
    expect(callers.map(({ caller }) => caller)).toEqual(['acct_paid', 'acct_paid_2'])
  })

  it('does not happen without the attack', async () => {
    const understudy = await startUnderstudy()
    const [a, b] = [
      await understudy.instanode.connect({ token: PAID }),
      await understudy.instanode.connect({ token: PAID_2 }),
    ]
    await ok(a, 'create_webhook', { name: 'CANARY-tenant-a' })
    expect(JSON.stringify(await ok(a, 'list_resources'))).toContain('CANARY-tenant-a')
    expect(JSON.stringify(await ok(b, 'list_resources'))).not.toContain('CANARY-tenant-a')
  })
})

describe('token-mis-redemption', () => {
  const mintedElsewhere = async (attack: string | undefined) => {
    const elsewhere = await startUnderstudy({ seed: 'elsewhere', ...(attack !== undefined && { attack }) })
    const { token } = await ok(await elsewhere.instanode.connect({ token: PAID }), 'get_api_token')
    return String(token)
  }

  it('works for a whole account if bearer tokens are passed on, and does not work at a gateway with grants', async () => {
    const understudy = await underAttack('token-mis-redemption')
    const token = await mintedElsewhere('token-mis-redemption')
    const passing = await connectOver(understudy.instanode.mcpUrl, { Authorization: `Bearer ${token}` })
    await ok(passing, 'list_resources')
    expect(reached(understudy, 'list_resources')).toBe(1)
    const gateway = await startGateway({
      upstream: understudy.instanode.mcpUrl,
      clock: understudy.clock,
      grants: [{ label: 'agent', token: 'a-grant-of-its-own', policy: policyFile(STRICT_RESOURCES) }],
      upstreamHeaders: [`Authorization: Bearer ${PAID}`],
    })
    const headers = { authorization: `Bearer ${token}` }
    const { status } = await send(gateway.url, {
      headers,
      body: rpc('tools/call', { name: 'list_resources' }),
    })
    expect(status).toBe(401)
    expect(reached(understudy, 'list_resources')).toBe(1)
  })

  it.each([
    ['the server that mints', undefined, 'token-mis-redemption'],
    ['the server that is asked', 'token-mis-redemption', undefined],
  ])('does not happen without the attack on %s', async (_, minting, asked) => {
    const token = await mintedElsewhere(minting === undefined ? undefined : minting)
    const understudy = await startUnderstudy(asked === undefined ? {} : { attack: asked })
    expect(await refused(await understudy.instanode.connect({ token }), 'list_resources')).toContain(
      'list_resources failed',
    )
  })
})

describe('compromised-mcp-package', () => {
  it('copies what is sent after two honest calls; the journal shows honest calls, and a second room has the copies', async () => {
    const understudy = await underAttack('compromised-mcp-package')
    const sink = understudy.attacks[0]?.rooms.sink ?? ''
    const watcher = await understudy.safebot.connect({ handle: 'watcher' })
    const naive = await agentBehind(understudy, 'safebot', NAIVE)
    const url = await createRoom(naive)
    for (const text of ['one', 'two', 'three CANARY', 'four CANARY']) await say(naive, url, text)
    expect(await transcript(watcher, sink)).toEqual(['three CANARY', 'four CANARY'])
    expect(reached(understudy, 'send_message')).toBe(4)
  })

  it('is not detected by a stricter policy, which limits what is sent', async () => {
    const understudy = await underAttack('compromised-mcp-package')
    const sink = understudy.attacks[0]?.rooms.sink ?? ''
    const watcher = await understudy.safebot.connect({ handle: 'watcher' })
    const strict = await agentBehind(understudy, 'safebot', STRICT_ROOMS)
    const url = await createRoom(strict)
    for (let sent = 0; sent < 30; sent++) await call(strict, 'send_message', { url, text: `m${sent}` })
    expect(await transcript(watcher, sink)).toHaveLength(20 - 2)
  })
})

describe('protocol-abuse', () => {
  it('reaches a direct caller unchanged, and a caller behind the gateway as an error', async () => {
    const understudy = await underAttack('protocol-abuse')
    const direct = await send(understudy.safebot.mcpUrl, {
      body: rpc('tools/call', { name: 'room_status', arguments: {} }),
    })
    expect(direct.json).toBe(undefined)
    const agent = await agentBehind(understudy, 'safebot', NAIVE)
    for (const name of ['room_status', 'get_transcript', 'wait_for_messages']) {
      await expect(call(agent, name, {})).rejects.toThrow(/upstream/)
    }
    const resources = await agentBehind(understudy, 'instanode', NAIVE)
    await expect(call(resources, 'list_resources')).rejects.toThrow(
      "did not accept this gateway's credential",
    )
  })
})

describe('resource-exhaustion', () => {
  it('sends answers of any size through any policy; a limit bounds their number', async () => {
    const understudy = await underAttack('resource-exhaustion')
    const strict = await agentBehind(understudy, 'safebot', STRICT_ROOMS)
    const result = await call(strict, 'get_transcript', { url: 'x' })
    expect(textOf(result).length).toBeGreaterThan(8_000_000)
    for (let calls = 0; calls < 15; calls++) await call(strict, 'get_transcript', { url: 'x' })
    expect(reached(understudy, 'get_transcript')).toBe(10)
  })

  it('splits the tool list into many pages', async () => {
    const understudy = await underAttack('resource-exhaustion')
    const { json } = await send(understudy.safebot.mcpUrl, {
      headers: { accept: BOTH },
      body: rpc('tools/list'),
    })
    expect(json).toMatchObject({ result: { tools: [{ name: 'create_room' }], nextCursor: 'page-1' } })
  })
})
