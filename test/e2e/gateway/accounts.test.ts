import { createServer } from 'node:http'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createUnderstudy } from '../../../servers/understudy/index.js'
import { openSession, rpc, send } from '../../support/clients/raw-http.js'
import { connectOver, engineOf, startGateway } from '../../support/gateway/gateway.js'
import { temporaryFile } from '../../support/gateway/rehearse.js'
import { FREE, PAID, PAID_2 } from '../../support/servers/instanode.js'
import { call, ok, startUnderstudy, textOf } from '../../support/servers/understudy.js'

const DAYS_31 = 31 * 86_400_000
const POLICY = 'fixtures/policies/policylayer/instanode.json'

/** Lets every caller list its resources twice a minute, and all else pass. */
const LISTING = {
  version: '1',
  default: 'allow',
  tools: {
    list_resources: { limits: [{ counter: 'lists', window: 'minute', max: 2, scope: 'grant' }] },
  },
}

const as = (token: string) => ({ authorization: `Bearer ${token}` })
const LIST = rpc('tools/call', { name: 'list_resources', arguments: {} })

async function behindGateway(more: object = {}) {
  const policy = await temporaryFile('policy.json', JSON.stringify(LISTING))
  const understudy = await startUnderstudy({ gateways: { instanode: { policy, ...more } } })
  const gateway = understudy.gateways.instanode
  const callers = () => understudy.journal.entries({ tool: 'list_resources' }).map(({ caller }) => caller)
  return { understudy, gateway, url: gateway.url, callers }
}

it('an agent calls through the gateway of an instance with the token of its account', async () => {
  const understudy = await createUnderstudy({ gateways: { instanode: POLICY } })
  const agent = new Client({ name: 'agent', version: '1.0.0' })
  const transport = new StreamableHTTPClientTransport(new URL(understudy.gateways.instanode.url), {
    requestInit: { headers: { Authorization: 'Bearer understudy-paid-token' } },
  })
  await agent.connect(transport as Parameters<Client['connect']>[0])
  const { isError, structuredContent } = await agent.callTool({ name: 'list_resources', arguments: {} })
  expect([isError, structuredContent]).toEqual([undefined, expect.objectContaining({ resources: [] })])
  expect(understudy.journal.entries({ tool: 'list_resources' })).toMatchObject([{ caller: 'acct_paid' }])
  expect(understudy.gateways.instanode.audit.entries()).toMatchObject([{ grant: 'acct_paid' }])
  await agent.close()
  await understudy.close()
})

describe('a gateway in front of the accounts of an instance', () => {
  it('counts each account separately, and callers without a token together', async () => {
    const { gateway, url } = await behindGateway()
    for (const token of [PAID, FREE]) {
      const agent = await connectOver(url, as(token))
      const denied: boolean[] = []
      for (let made = 0; made < 3; made++)
        denied.push(textOf(await call(agent, 'list_resources')).includes('POLICY DENIED'))
      expect(denied).toEqual([false, false, true])
    }
    expect(textOf(await call(await connectOver(url), 'list_resources'))).toContain(
      'this tool needs an account',
    )
    expect(new Set(gateway.audit.entries().map(({ grant }) => grant))).toEqual(
      new Set(['acct_paid', 'acct_free', 'default']),
    )
  })

  it('refuses a token of no account, with a remedy', async () => {
    const { url, callers } = await behindGateway()
    const { status, headers, json } = await send(url, { headers: as('understudy-payed-token'), body: LIST })
    expect([status, headers['www-authenticate']]).toEqual([401, expect.stringContaining('invalid_token')])
    expect(json).toMatchObject({
      error: {
        message:
          'no account has this bearer token: send the token of an account, or no token to call without an account',
      },
    })
    expect(callers()).toEqual([])
  })

  it('does not let an account use a session of another', async () => {
    const { url } = await behindGateway()
    const opened = await send(url, {
      headers: as(PAID),
      body: rpc('initialize', {
        protocolVersion: '2025-11-25',
        capabilities: {},
        clientInfo: { name: 'a', version: '1' },
      }),
    })
    const session = { 'mcp-session-id': String(opened.headers['mcp-session-id']) }
    const listed = async (headers: Record<string, string>) =>
      (await send(url, { headers: { ...session, ...headers }, body: LIST })).status
    expect([await listed(as(PAID)), await listed(as(PAID_2)), await listed({})]).toEqual([200, 404, 404])
    const anonymous = { 'mcp-session-id': await openSession(url) }
    expect((await send(url, { headers: { ...anonymous, ...as(PAID) }, body: LIST })).status).toBe(404)
  })

  it('accepts tokens that the service has minted', async () => {
    const { url, callers } = await behindGateway()
    const { token } = await ok(await connectOver(url, as(PAID_2)), 'get_api_token')
    await ok(await connectOver(url, as(String(token))), 'list_resources')
    expect(callers()).toEqual(['acct_paid_2'])
  })

  it('still calls as the account when its own credential has expired, and after a restore', async () => {
    const { understudy, url, callers } = await behindGateway()
    const agent = await connectOver(url, as(PAID))
    const snapshot = await understudy.snapshot()
    await ok(agent, 'list_resources')
    await understudy.clock.advance(DAYS_31)
    await ok(agent, 'list_resources')
    await understudy.restore(snapshot)
    await ok(agent, 'list_resources')
    expect(callers()).toEqual(['acct_paid', 'acct_paid', 'acct_paid'])
  })

  it('knows the accounts of the current world', async () => {
    const { understudy, url } = await behindGateway()
    await understudy.reset({ world: { accounts: [] } })
    expect((await send(url, { headers: as(PAID), body: LIST })).status).toBe(401)
  })

  it('treats all callers as one if it has one credential for all', async () => {
    const { gateway, url, callers } = await behindGateway({
      upstreamHeaders: [`Authorization: Bearer ${PAID_2}`],
    })
    await ok(await connectOver(url, as(PAID)), 'list_resources')
    expect(callers()).toEqual(['acct_paid_2'])
    expect(gateway.audit.entries()).toMatchObject([{ grant: 'default' }])
  })

  it("calls as the account of a grant if the grant's token belongs to an account", async () => {
    const policy = await temporaryFile('policy.json', JSON.stringify(LISTING))
    const grants = [
      { label: 'build', token: PAID, policy },
      { label: 'idle', token: 'another-bearer', policy },
    ]
    const understudy = await startUnderstudy({ gateways: { instanode: { grants } } })
    const { url, audit } = understudy.gateways.instanode
    await ok(await connectOver(url, as(PAID)), 'list_resources')
    const other = await connectOver(url, as('another-bearer'))
    expect(textOf(await call(other, 'list_resources'))).toContain('this tool needs an account')
    expect(audit.entries().map(({ grant }) => grant)).toEqual(['build', 'idle'])
  })
})

it('a gateway sends a credential of its own, and does not pass on the credential of its caller', async () => {
  const seen: (string | undefined)[] = []
  const upstream = createServer((request, response) => {
    seen.push(request.headers.authorization)
    response.setHeader('Content-Type', 'application/json')
    response.end('{"jsonrpc":"2.0","id":1,"result":{"content":[]}}')
  }).listen(0, '127.0.0.1')
  onTestFinished(() => void upstream.close())
  await new Promise(resolve => upstream.once('listening', resolve))
  const address = upstream.address()
  const { clock } = await startUnderstudy()
  const gateway = await startGateway({
    policy: engineOf({ default: 'allow' }, clock),
    upstream: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/mcp`,
    accounts: { find: async bearer => ({ id: bearer, credential: 'of-the-gateway' }) },
  })
  seen.length = 0
  await send(gateway.url, { headers: as('of-the-caller'), body: LIST })
  await send(gateway.url, { body: LIST })
  expect(seen).toEqual(['Bearer of-the-gateway', undefined])
})
