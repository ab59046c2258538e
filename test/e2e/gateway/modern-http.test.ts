import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { describe, expect, it, onTestFinished } from 'vitest'
import { HttpStream } from '../../support/clients/http-stream.js'
import {
  MODERN,
  mirrored,
  modernCall,
  modernMeta,
  modernRpc,
  sendModern,
} from '../../support/clients/modern.js'
import { eventsOf, openSession, rpc, send } from '../../support/clients/raw-http.js'
import { connectOver, engineOf, inFrontOf, startGateway } from '../../support/gateway/gateway.js'
import { PATIENT } from '../../support/run/run-options.js'
import { startToyServer } from '../../support/servers/toy-server.js'
import { ok, startUnderstudy } from '../../support/servers/understudy.js'
import { until } from '../../support/until.js'

const OPEN = { default: 'allow', tools: {} }
const NO_ROOMS = {
  default: 'allow',
  hide: ['next_task'],
  tools: { create_room: { deny_if: [{ conditions: [], on_deny: 'no rooms' }] } },
}
const SUBSCRIPTION = 'io.modelcontextprotocol/subscriptionId'
const listen = (id: unknown) =>
  modernRpc('subscriptions/listen', { notifications: { toolsListChanged: true } }, id)
const open = (url: string, body: Record<string, unknown>) =>
  HttpStream.open(url, 'POST', mirrored(body), body)

describe('a modern request through the gateway', () => {
  it('to server/discover gets the upstream’s own answer', async () => {
    const understudy = await startUnderstudy()
    const { url } = await inFrontOf(understudy, 'safebot', OPEN)
    const direct = await sendModern(understudy.safebot.mcpUrl, modernRpc('server/discover'))
    const through = await sendModern(url, modernRpc('server/discover'))
    expect([through.status, through.json]).toEqual([200, direct.json])
  })

  it('that calls an allowed tool is forwarded with its headers, and the audit names the revision', async () => {
    const understudy = await startUnderstudy()
    const { url, audit } = await inFrontOf(understudy, 'safebot', OPEN)
    const { status, json } = await sendModern(url, modernCall('create_room'))
    expect([status, json]).toMatchObject([200, { id: 1, result: { resultType: 'complete' } }])
    expect(understudy.journal.entries()).toMatchObject([
      { tool: 'create_room', protocol: MODERN, mismatch: [], session: null },
    ])
    expect(audit.entries()).toMatchObject([{ outcome: 'allowed', protocol: MODERN, session: null }])
  })

  it('that calls a denied tool is answered with a complete result', async () => {
    const understudy = await startUnderstudy()
    const { url, audit } = await inFrontOf(understudy, 'safebot', NO_ROOMS)
    const { status, json } = await sendModern(url, modernCall('create_room', {}, 'x'))
    expect([status, json]).toEqual([
      200,
      {
        jsonrpc: '2.0',
        id: 'x',
        result: {
          resultType: 'complete',
          content: [{ type: 'text', text: '[UNDERSTUDY POLICY DENIED] create_room: no rooms' }],
          isError: true,
          _meta: {
            'mcp-understudy/policy': {
              outcome: 'denied',
              rule: '/tools/create_room/deny_if/0',
              grant: 'default',
            },
          },
        },
      },
    ])
    understudy.journal.expectNothing({ tool: 'create_room' })
    expect(audit.entries()).toMatchObject([{ outcome: 'denied', protocol: MODERN }])
    const legacy = await send(url, { body: rpc('tools/call', { name: 'create_room' }) })
    expect(Object(legacy.json).result).not.toHaveProperty('resultType')
  })

  it('may name a session of another grant, which has no effect', async () => {
    const understudy = await startUnderstudy()
    const policy = engineOf(OPEN, understudy.clock)
    const grants = ['one', 'other'].map(label => ({ label, token: `${label}-token`, policy }))
    const { url } = await inFrontOf(understudy, 'safebot', OPEN, { grants })
    const client = await connectOver(url, { Authorization: 'Bearer one-token' })
    await ok(client, 'create_room')
    const [{ session } = { session: null }] = understudy.journal.entries({ tool: 'create_room' })
    const stranger = { Authorization: 'Bearer other-token', 'Mcp-Session-Id': String(session) }
    expect((await sendModern(url, modernRpc('tools/list'), stranger)).status).toBe(200)
    const [entry] = understudy.journal.entries({ method: 'tools/list' })
    expect(entry).toMatchObject({ session: null, protocol: MODERN })
    expect(entry?.headers).not.toHaveProperty('mcp-session-id')
    expect((await send(url, { headers: stranger, body: rpc('ping') })).status).toBe(404)
  })

  it('gets an error of the gateway with its id, and a code of the specification', async () => {
    const toy = await startToyServer()
    const clock = toy.instance.clock
    const { url } = await startGateway({ policy: engineOf(OPEN, clock), clock, upstream: toy.url })
    toy.instance.faults.set([{ server: 'toy', tool: 'echo', when: { always: true }, do: { drop: 'before' } }])
    const { status, json } = await sendModern(url, modernCall('echo', { text: 'x' }, 'e'))
    expect([status, json]).toMatchObject([502, { id: 'e', error: { code: -32603 } }])
  })

  it('may be answered with a question, and is judged again when it returns with the answer', async () => {
    const toy = await startToyServer()
    const clock = toy.instance.clock
    const { url, audit } = await startGateway({ policy: engineOf(OPEN, clock), clock, upstream: toy.url })
    const asked = { resultType: 'input_required', requestState: 'opaque' }
    const body = `{"jsonrpc":"2.0","id":{{id}},"result":${JSON.stringify(asked)}}`
    toy.instance.faults.set([{ server: 'toy', tool: 'echo', when: { nth: 1 }, do: { raw: { body } } }])
    const first = await sendModern(url, modernCall('echo', { text: 'x' }, 1))
    expect([first.status, first.json]).toEqual([200, { jsonrpc: '2.0', id: 1, result: asked }])
    const call = { name: 'echo', arguments: { text: 'x' } }
    const retry = modernRpc('tools/call', { ...call, inputResponses: {}, requestState: 'opaque' }, 2)
    expect((await sendModern(url, retry)).json).toMatchObject({ id: 2, result: { resultType: 'complete' } })
    expect(toy.instance.journal.entries()[1]?.raw).toBe(JSON.stringify(retry))
    expect(audit.entries()).toMatchObject([{ outcome: 'allowed' }, { outcome: 'allowed' }])
    const other = modernRpc('tools/call', { ...call, RequestState: 'opaque' }, 3)
    expect((await sendModern(url, other)).json).toMatchObject({ id: 3, error: { code: -32600 } })
  })

  it('is cancelled when its caller closes the connection', async () => {
    const toy = await startToyServer()
    const clock = toy.instance.clock
    const { url, audit } = await startGateway({ policy: engineOf(OPEN, clock), clock, upstream: toy.url })
    const stream = await open(url, modernCall('park', { as: 'a' }, 1, { progressToken: 1 }))
    await toy.happened('a parked')
    stream.drop()
    await toy.happened('a aborted: the caller hung up')
    await until(() => audit.entries().length === 1)
    expect(audit.entries()).toMatchObject([{ upstream: { ended: 'cancelled' } }])
  })

  it('can be sent by the official client', async () => {
    const understudy = await startUnderstudy()
    const { url } = await inFrontOf(understudy, 'safebot', NO_ROOMS)
    const client = new Client(
      { name: 'official', version: '2' },
      { versionNegotiation: { mode: { pin: MODERN } } },
    )
    onTestFinished(() => client.close())
    await client.connect(new StreamableHTTPClientTransport(new URL(url)))
    expect((await client.listTools()).tools).toHaveLength(7)
    const denied = await client.callTool({ name: 'create_room', arguments: {} })
    expect(denied).toMatchObject({ isError: true })
    const told = new Promise<void>(resolve => {
      client.setNotificationHandler('notifications/tools/list_changed', () => resolve())
    })
    const subscription = await client.listen({ toolsListChanged: true })
    const overlay = { server: 'safebot', tool: 'ack_task', notify: true, do: { describe: 'changed' } }
    understudy.catalogue.set([overlay])
    await told
    await subscription.close()
  })
})

describe('a modern list of tools through the gateway', () => {
  it('lacks hidden tools, and each page lacks the permission to be cached', async () => {
    const understudy = await startUnderstudy()
    const { url } = await inFrontOf(understudy, 'safebot', { ...OPEN, hide: ['next_task'] })
    const changes = [{ page: 3 }, { ttlMs: 5000 }, { cacheScope: 'public' as const }]
    understudy.catalogue.set(changes.map(change => ({ server: 'safebot', do: change })))
    const names: string[] = []
    for (let cursor: string | undefined, page = 0; page < 3; page++) {
      const body = modernRpc('tools/list', cursor === undefined ? {} : { cursor })
      const genuine = Object((await sendModern(understudy.safebot.mcpUrl, body)).json).result
      expect(genuine).toMatchObject({ ttlMs: 5000, cacheScope: 'public' })
      const { result } = Object((await sendModern(url, body)).json)
      const tools = genuine.tools.filter(({ name }: { name: string }) => name !== 'next_task')
      expect(result).toEqual({ ...genuine, tools, ttlMs: 0, cacheScope: 'private' })
      names.push(...tools.map(({ name }: { name: string }) => name))
      cursor = result.nextCursor
    }
    expect(names).toHaveLength(7)
  })

  it('has no members of the modern era if it is a legacy list', async () => {
    const understudy = await startUnderstudy()
    const { url } = await inFrontOf(understudy, 'safebot', { ...OPEN, hide: ['next_task'] })
    const { json } = await send(url, { body: rpc('tools/list') })
    expect(Object.keys(Object(json).result)).toEqual(['tools'])
  })
})

describe('a subscription through the gateway', () => {
  it('is acknowledged, receives changes, and ends with the gateway', async () => {
    const understudy = await startUnderstudy()
    const gateway = await inFrontOf(understudy, 'safebot', OPEN)
    const stream = await open(gateway.url, listen(9))
    await stream.has('acknowledged')
    understudy.catalogue.set([
      { server: 'safebot', tool: 'ack_task', notify: true, do: { describe: 'changed' } },
    ])
    await stream.has('tools/list_changed')
    await gateway.close()
    await stream.ended
    const _meta = { [SUBSCRIPTION]: 9 }
    expect(eventsOf(stream.text)).toEqual([
      {
        jsonrpc: '2.0',
        method: 'notifications/subscriptions/acknowledged',
        params: { notifications: { toolsListChanged: true }, _meta },
      },
      { jsonrpc: '2.0', method: 'notifications/tools/list_changed', params: { _meta } },
      { jsonrpc: '2.0', id: 9, result: { resultType: 'complete', _meta } },
    ])
  })

  it('ends at the upstream when its caller closes the stream', async () => {
    const understudy = await startUnderstudy()
    const { url } = await inFrontOf(understudy, 'safebot', OPEN)
    const stream = await open(url, listen(9))
    await stream.has('acknowledged')
    stream.drop()
    await understudy.journal.waitFor({ method: 'subscriptions/listen', outcome: 'aborted' }, PATIENT)
  })
})

describe('bad input through the gateway', () => {
  const call = modernCall('room_status', { url: 'x' }, 7)
  const bare = (params?: unknown) => rpc('tools/call', params, 7)
  const encoded = (text: string) => `=?base64?${Buffer.from(text).toString('base64')}?=`
  const cases: [string, unknown, Record<string, string>][] = [
    [
      'an allowed tool in the header over a denied one in the body',
      modernCall('create_room', {}, 7),
      { 'Mcp-Name': 'room_status' },
    ],
    ['a denied tool in the header over an allowed one in the body', call, { 'Mcp-Name': 'create_room' }],
    ['a denied tool in Base64 in the header', call, { 'Mcp-Name': encoded('create_room') }],
    ['broken Base64', call, { 'Mcp-Name': '=?base64?cm9vbV9zdGF0dX?=' }],
    ['no Mcp-Name', call, { 'Mcp-Name': '' }],
    ['no Mcp-Method', call, { 'Mcp-Method': '' }],
    ['another method in the header', call, { 'Mcp-Method': 'tools/list' }],
    ['no MCP-Protocol-Version', call, { 'MCP-Protocol-Version': '' }],
    ['a legacy MCP-Protocol-Version', call, { 'MCP-Protocol-Version': '2025-11-25' }],
    ['a batch', [call], {}],
    ['a batch without _meta', [rpc('tools/list')], { 'MCP-Protocol-Version': MODERN }],
    ['no _meta', bare({ name: 'room_status' }), {}],
    ['a _meta that is a text', bare({ name: 'room_status', _meta: 'x' }), {}],
    ['no capabilities', modernRpc('tools/list', {}, 7, { clientCapabilities: undefined }), {}],
    ['a version that is a number', bare({ _meta: modernMeta({ protocolVersion: 20260728 }) }), {}],
    ['an unknown version', modernRpc('tools/list', {}, 7, { protocolVersion: '1900-01-01' }), {}],
    ['a legacy version in _meta', modernRpc('tools/list', {}, 7, { protocolVersion: '2025-11-25' }), {}],
    ['an unknown method', modernRpc('tools/burn', {}, 7), {}],
    ['initialize', modernRpc('initialize', {}, 7), {}],
    ['no JSON', '{', { 'MCP-Protocol-Version': MODERN }],
    ['another content type', call, { 'content-type': 'text/plain' }],
  ]

  it.each(cases)('%s is answered as by the server itself', async (_, body, headers) => {
    const understudy = await startUnderstudy()
    const { url } = await inFrontOf(understudy, 'safebot', NO_ROOMS)
    const single = typeof body === 'object' && !Array.isArray(body)
    const all = Object.entries({ ...(single && mirrored(Object(body))), ...headers })
    const request = { body, headers: Object.fromEntries(all.filter(([, value]) => value !== '')) }
    const direct = await send(understudy.safebot.mcpUrl, request)
    expect(direct.status).toBeGreaterThanOrEqual(400)
    const before = understudy.journal.entries().length
    const through = await send(url, request)
    expect([through.status, through.json]).toEqual([direct.status, direct.json])
    expect(understudy.journal.entries({ outcome: 'ok' })).toEqual([])
    // The gateway asks the upstream only which versions and methods it knows.
    const forUpstream = [-32022, -32601].includes(Object(through.json).error.code)
    expect(understudy.journal.entries().length - before).toBe(forUpstream ? 1 : 0)
  })

  it('a legacy request with a header of another tool is refused', async () => {
    const understudy = await startUnderstudy()
    const { url } = await inFrontOf(understudy, 'safebot', NO_ROOMS)
    const body = rpc('tools/call', { name: 'room_status', arguments: {} })
    const { status, json } = await send(url, { body, headers: { 'Mcp-Name': 'create_room' } })
    const error = { code: -32600, message: 'the header Mcp-Name differs from the body' }
    expect([status, json]).toEqual([400, { jsonrpc: '2.0', error, id: null }])
    const batch = await send(url, { body: [body], headers: { 'Mcp-Method': 'ping' } })
    expect(batch.status).toBe(400)
    expect(understudy.journal.entries()).toEqual([])
  })

  it('a header that repeats an argument must equal the argument', async () => {
    const understudy = await startUnderstudy()
    const { url } = await inFrontOf(understudy, 'safebot', OPEN)
    const region = { type: 'string', 'x-mcp-header': 'Region' }
    understudy.catalogue.set([{ server: 'safebot', tool: 'room_status', do: { widen: { region } } }])
    const body = modernCall('room_status', { url: 'x', region: 'eu' }, 7)
    const forged = await sendModern(url, body, { 'Mcp-Param-Region': 'us' })
    const message = 'the header mcp-param-region is "us", which is not the value of any argument'
    const error = { code: -32020, message }
    expect([forged.status, forged.json]).toEqual([400, { jsonrpc: '2.0', id: 7, error }])
    expect(understudy.journal.entries()).toEqual([])
    const genuine = await sendModern(url, body, { 'Mcp-Param-Region': encoded('eu') })
    expect(genuine.status).toBe(200)
    expect(understudy.journal.entries()).toMatchObject([{ tool: 'room_status', mismatch: [] }])
  })

  it('a modern notification is accepted without an answer, and judged if it calls a tool', async () => {
    const understudy = await startUnderstudy()
    const { url, audit } = await inFrontOf(understudy, 'safebot', NO_ROOMS)
    const headers = { 'MCP-Protocol-Version': MODERN }
    const told = { jsonrpc: '2.0', method: 'notifications/whatever' }
    expect(await send(url, { body: told, headers })).toMatchObject({ status: 202, body: '' })
    const denied = {
      jsonrpc: '2.0',
      method: 'tools/call',
      params: { name: 'create_room', _meta: modernMeta() },
    }
    expect(await send(url, { body: denied, headers })).toMatchObject({ status: 202, body: '' })
    expect(audit.entries()).toMatchObject([{ requestId: null, outcome: 'denied', protocol: MODERN }])
    const forged = await send(url, { body: denied, headers: { ...headers, 'Mcp-Name': 'room_status' } })
    const error = { code: -32020, message: 'the header Mcp-Name differs from the body' }
    expect([forged.status, forged.json]).toEqual([400, { jsonrpc: '2.0', error }])
  })

  it('legacy and modern requests can use one URL', async () => {
    const understudy = await startUnderstudy()
    const { url } = await inFrontOf(understudy, 'safebot', OPEN)
    const session = { 'mcp-session-id': await openSession(url) }
    const statuses = [
      await sendModern(url, modernRpc('server/discover')),
      await send(url, { body: rpc('ping'), headers: session }),
      await sendModern(url, modernRpc('ping')),
      await send(url, { body: rpc('server/discover') }),
    ].map(({ status }) => status)
    expect(statuses).toEqual([200, 200, 404, 200])
  })
})
