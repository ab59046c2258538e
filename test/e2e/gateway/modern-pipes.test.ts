import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { GatewayOptions } from '../../../servers/gateway/index.js'
import { Clock } from '../../../shared/clock/clock.js'
import { COMMAND } from '../../support/clients/command.js'
import { HttpStream } from '../../support/clients/http-stream.js'
import { MODERN, mirrored, modernCall, modernRpc, sendModern } from '../../support/clients/modern.js'
import { eventsOf, initialize, rpc, send } from '../../support/clients/raw-http.js'
import { engineOf, inFrontOf, startGateway } from '../../support/gateway/gateway.js'
import { GatewayPipe } from '../../support/gateway/gateway-pipe.js'
import { startToyServer } from '../../support/servers/toy-server.js'
import { startUnderstudy } from '../../support/servers/understudy.js'

const OPEN = { default: 'allow', tools: {} }
const NO_ROOMS = {
  default: 'allow',
  hide: ['next_task'],
  tools: { create_room: { deny_if: [{ conditions: [], on_deny: 'no rooms' }] } },
}
const denied = {
  result: {
    resultType: 'complete',
    isError: true,
    content: [{ text: expect.stringContaining('POLICY DENIED') }],
  },
}
const SUBSCRIPTION = 'io.modelcontextprotocol/subscriptionId'
const listen = (id: unknown) =>
  modernRpc('subscriptions/listen', { notifications: { toolsListChanged: true } }, id)
const acknowledged = (id: unknown) => ({
  jsonrpc: '2.0',
  method: 'notifications/subscriptions/acknowledged',
  params: { notifications: { toolsListChanged: true }, _meta: { [SUBSCRIPTION]: id } },
})
const changed = (id: unknown) => ({
  jsonrpc: '2.0',
  method: 'notifications/tools/list_changed',
  params: { _meta: { [SUBSCRIPTION]: id } },
})
const ended = (id: unknown) => ({
  jsonrpc: '2.0',
  id,
  result: { resultType: 'complete', _meta: { [SUBSCRIPTION]: id } },
})

/** A gateway with a program behind it. */
function inFrontOfProgram(command: string[], policy: object, options: Partial<GatewayOptions> = {}) {
  const clock = new Clock({ mode: 'manual' })
  const upstream = { command: [process.execPath, ...command] as [string, ...string[]] }
  return startGateway({ policy: engineOf(policy, clock), clock, upstream, ...options })
}
const SAFEBOT = [COMMAND, 'safebot', '--clock', 'manual', '--seed', 'x']
const SUBSCRIBING = [join(import.meta.dirname, '../../support/servers/subscribing-server.mjs')]

describe('a modern client on a pipe, an upstream over HTTP', () => {
  it('follows the policy, and its requests get the headers that they need', async () => {
    const understudy = await startUnderstudy()
    const gateway = await inFrontOf(understudy, 'safebot', NO_ROOMS, { http: false })
    const pipe = new GatewayPipe(gateway)
    const direct = await sendModern(understudy.safebot.mcpUrl, modernRpc('server/discover', {}, 'd'))
    expect(await pipe.ask(modernRpc('server/discover', {}, 'd'))).toEqual(direct.json)
    const { result } = await pipe.ask(modernRpc('tools/list', {}, 2))
    expect(result).toMatchObject({ tools: { length: 7 }, ttlMs: 0, cacheScope: 'private' })
    expect(await pipe.ask(modernCall('create_room', {}, 3))).toMatchObject(denied)
    expect(await pipe.ask(modernCall('room_status', { url: 'größe' }, 4))).toMatchObject({
      result: { resultType: 'complete', isError: true },
    })
    expect(gateway.audit.entries()).toMatchObject([{ protocol: MODERN }, { protocol: MODERN }])
    for (const { mismatch, session } of understudy.journal.entries()) {
      expect([mismatch, session]).toEqual([[], null])
    }
  })

  it('has arguments repeated in headers, as the list of tools marks them', async () => {
    const understudy = await startUnderstudy()
    const region = { type: 'string', 'x-mcp-header': 'Region' }
    understudy.catalogue.set([{ server: 'safebot', tool: 'room_status', do: { widen: { region } } }])
    const pipe = new GatewayPipe(await inFrontOf(understudy, 'safebot', OPEN, { http: false }))
    await pipe.ask(modernRpc('tools/list'))
    await pipe.ask(modernCall('room_status', { url: 'x', region: ' größe' }, 2))
    const [entry] = understudy.journal.entries({ tool: 'room_status' })
    expect(entry).toMatchObject({ outcome: 'tool_error', mismatch: [] })
    expect(entry?.headers['mcp-param-region']).toBe('=?base64?IGdyw7bDn2U=?=')
  })

  it('gets the upstream’s refusals with the ids of its requests', async () => {
    const understudy = await startUnderstudy()
    const pipe = new GatewayPipe(await inFrontOf(understudy, 'safebot', OPEN, { http: false }))
    for (const body of [
      modernRpc('tools/list', {}, 1, { protocolVersion: '1900-01-01' }),
      modernRpc('tools/list', {}, 2, { clientCapabilities: undefined }),
      modernRpc('tools/burn', {}, 3),
    ]) {
      const direct = await sendModern(understudy.safebot.mcpUrl, body)
      expect(await pipe.ask(body)).toEqual(direct.json)
    }
  })

  it('can send modern and legacy requests in turn', async () => {
    const understudy = await startUnderstudy()
    const pipe = new GatewayPipe(await inFrontOf(understudy, 'safebot', OPEN, { http: false }))
    await pipe.ask(modernRpc('server/discover', {}, 'd'))
    await pipe.ask(initialize())
    pipe.say({ jsonrpc: '2.0', method: 'notifications/initialized' })
    expect(await pipe.ask(modernRpc('tools/burn', {}, 2))).toMatchObject({ error: { code: -32601 } })
    expect(await pipe.ask(rpc('ping', undefined, 3))).toEqual({ jsonrpc: '2.0', id: 3, result: {} })
  })

  it('cancels a call by a notification, and the upstream sees a closed connection', async () => {
    const toy = await startToyServer()
    const { clock } = toy.instance
    const policy = engineOf(OPEN, clock)
    const pipe = new GatewayPipe(await startGateway({ policy, clock, upstream: toy.url, http: false }))
    pipe.say(modernCall('park', { as: 'a' }, 7))
    await toy.happened('a parked')
    pipe.say({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 7 } })
    await toy.happened('a aborted: the caller hung up')
    expect(toy.instance.journal.entries({ method: 'notifications/cancelled' })).toEqual([])
  })

  it('has a subscription, which ends when the upstream ends', async () => {
    const toy = await startToyServer()
    const { clock } = toy.instance
    const policy = engineOf(OPEN, clock)
    const pipe = new GatewayPipe(await startGateway({ policy, clock, upstream: toy.url, http: false }))
    pipe.say(listen('mine'))
    await pipe.find(({ method }) => method === 'notifications/subscriptions/acknowledged')
    toy.host.announceTools()
    await pipe.find(({ method }) => method === 'notifications/tools/list_changed')
    toy.endpoint.close()
    await pipe.find(({ method }) => method === 'notifications/cancelled')
    const params = { requestId: 'mine', reason: 'the upstream has ended it' }
    expect(pipe.messages).toEqual([
      acknowledged('mine'),
      changed('mine'),
      { jsonrpc: '2.0', method: 'notifications/cancelled', params },
    ])
  })

  it('is refused if it sends a list of modern messages', async () => {
    const understudy = await startUnderstudy()
    const pipe = new GatewayPipe(await inFrontOf(understudy, 'safebot', OPEN, { http: false }))
    pipe.say([modernCall('create_room')])
    const message = 'the line is a list: this protocol revision has one message in each line'
    expect(await pipe.find(() => true)).toEqual({ jsonrpc: '2.0', error: { code: -32600, message } })
    expect(understudy.journal.entries()).toEqual([])
  })
})

describe('a modern client on a pipe, in front of a program', () => {
  it('follows the policy, in both eras', async () => {
    const gateway = await inFrontOfProgram(SAFEBOT, NO_ROOMS, { http: false })
    const pipe = new GatewayPipe(gateway)
    expect(await pipe.ask(modernRpc('server/discover', {}, 'd'))).toMatchObject({
      result: { resultType: 'complete', supportedVersions: expect.arrayContaining([MODERN]) },
    })
    expect(await pipe.ask(modernCall('create_room', {}, 2))).toMatchObject(denied)
    await pipe.ask({ ...initialize(), id: 3 })
    const legacy = await pipe.ask(rpc('tools/call', { name: 'create_room', arguments: {} }, 4))
    expect(Object(legacy).result).not.toHaveProperty('resultType')
    expect(gateway.audit.entries()).toMatchObject([{ protocol: MODERN }, { protocol: '2025-11-25' }])
  })

  it('has subscriptions, which end with the gateway', async () => {
    const gateway = await inFrontOfProgram(SUBSCRIBING, OPEN, { http: false })
    const pipe = new GatewayPipe(gateway)
    pipe.say(listen('mine'))
    await pipe.find(({ method }) => method === 'notifications/subscriptions/acknowledged')
    await pipe.ask(modernCall('change', {}, 2))
    await gateway.close()
    const params = { requestId: 'mine', reason: 'the gateway is shutting down' }
    expect(pipe.messages.filter(({ id }) => id === undefined)).toEqual([
      acknowledged('mine'),
      changed('mine'),
      { jsonrpc: '2.0', method: 'notifications/cancelled', params },
    ])
  })

  it('gets an error with a code of the specification if its call was lost', async () => {
    const loose = join(import.meta.dirname, '../../support/servers/loose-server.mjs')
    const pipe = new GatewayPipe(await inFrontOfProgram([loose], OPEN, { http: false }))
    expect(await pipe.ask(modernCall('die', {}, 5))).toEqual({
      jsonrpc: '2.0',
      id: 5,
      error: { code: -32603, message: 'the upstream has ended (exit code 7)' },
    })
  })
})

describe('modern clients over HTTP, in front of a program', () => {
  it('follow the policy, and the program is not initialized for them', async () => {
    const gateway = await inFrontOfProgram(SUBSCRIBING, { default: 'deny', tools: { look: {} } })
    const { status, headers, json } = await sendModern(gateway.url, modernCall('look', {}, 1))
    expect([status, headers['mcp-session-id'], json]).toMatchObject([
      200,
      undefined,
      { id: 1, result: { content: [{ text: 'tools/call; 0 subscribed' }] } },
    ])
    const refused = await sendModern(gateway.url, modernCall('change', {}, 2))
    expect([refused.status, refused.json]).toMatchObject([200, { id: 2, ...denied }])
    expect(gateway.audit.entries()).toMatchObject([
      { outcome: 'allowed', protocol: MODERN },
      { outcome: 'denied', protocol: MODERN },
    ])
  })

  it('may subscribe with the same id, each to its own stream', async () => {
    const { url } = await inFrontOfProgram(SUBSCRIBING, OPEN)
    const open = () => HttpStream.open(url, 'POST', mirrored(listen(9)), listen(9))
    const [one, other] = [await open(), await open()]
    for (const stream of [one, other]) await stream.has('acknowledged')
    await sendModern(url, modernCall('change'))
    await other.has('list_changed')
    one.drop()
    const look = async () => (await sendModern(url, modernCall('look'))).body
    while (!(await look()).includes('1 subscribed'));
    await sendModern(url, modernCall('end'))
    await other.ended
    expect(eventsOf(other.text)).toEqual([acknowledged(9), changed(9), ended(9)])
  })

  it('have subscriptions, which end with the gateway', async () => {
    const gateway = await inFrontOfProgram(SUBSCRIBING, OPEN)
    const stream = await HttpStream.open(gateway.url, 'POST', mirrored(listen(9)), listen(9))
    await stream.has('acknowledged')
    await gateway.close()
    await stream.ended
    expect(eventsOf(stream.text)).toEqual([acknowledged(9), ended(9)])
  })

  it.each<[string, Record<string, unknown>, Record<string, string>]>([
    ['another tool in the header', modernCall('create_room', {}, 7), { 'Mcp-Name': 'room_status' }],
    ['no Mcp-Method', modernCall('room_status', {}, 7), { 'Mcp-Method': '' }],
    ['no _meta', rpc('tools/call', { name: 'room_status' }, 7), {}],
    ['a _meta that is a text', rpc('tools/call', { name: 'room_status', _meta: 'x' }, 7), {}],
    ['no capabilities', modernRpc('tools/list', {}, 7, { clientCapabilities: undefined }), {}],
    ['an unknown version', modernRpc('tools/list', {}, 7, { protocolVersion: '1900-01-01' }), {}],
    ['an unknown method', modernRpc('tools/burn', {}, 7), {}],
  ])('are answered as by the server itself: %s', async (_, body, headers) => {
    const understudy = await startUnderstudy()
    const { url } = await inFrontOfProgram(SAFEBOT, NO_ROOMS)
    const direct = await sendModern(understudy.safebot.mcpUrl, body, headers)
    const through = await sendModern(url, body, headers)
    expect([through.status, through.json]).toEqual([direct.status, direct.json])
  })

  it('are refused if they send a batch, or a header of another tool in a legacy request', async () => {
    const { url } = await inFrontOfProgram(SUBSCRIBING, OPEN)
    const batch = await send(url, { body: [modernCall('change')] })
    const message = 'the body is a list: this protocol revision has one message in each POST'
    expect([batch.status, batch.json]).toEqual([400, { jsonrpc: '2.0', error: { code: -32600, message } }])
    const named = await send(url, {
      body: rpc('tools/call', { name: 'change' }),
      headers: { 'Mcp-Name': 'end' },
    })
    const error = { code: -32600, message: 'the header Mcp-Name differs from the body' }
    expect([named.status, named.json]).toEqual([400, { jsonrpc: '2.0', id: 1, error }])
  })
})
