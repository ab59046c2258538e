import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { GatewayOptions } from '../../../servers/gateway/index.js'
import { Clock } from '../../../shared/clock/clock.js'
import { COMMAND } from '../../support/clients/command.js'
import { HttpStream } from '../../support/clients/http-stream.js'
import { eventsOf, initialize, openSession, rpc, send } from '../../support/clients/raw-http.js'
import { connectOver, engineOf, inFrontOf, startGateway } from '../../support/gateway/gateway.js'
import { GatewayPipe } from '../../support/gateway/gateway-pipe.js'
import { PATIENT } from '../../support/run/run-options.js'
import { call, ok, startUnderstudy, textOf } from '../../support/servers/understudy.js'
import { until } from '../../support/until.js'

const OPEN = { default: 'allow', tools: {} }
const ONE_ROOM = {
  default: 'allow',
  hide: ['next_task'],
  tools: { create_room: { limits: [{ counter: 'rooms', window: 'minute', max: 1, scope: 'grant' }] } },
}
const toolCall = (name: string, args: object, id: unknown = 1, more: object = {}) =>
  rpc('tools/call', { name, arguments: args, ...more }, id)
const cancel = (requestId: unknown) => ({
  jsonrpc: '2.0',
  method: 'notifications/cancelled',
  params: { requestId, reason: 'no longer wanted' },
})
const denied = { result: { isError: true, content: [{ text: expect.stringContaining('POLICY DENIED') }] } }

/** A gateway with a program behind it. */
function inFrontOfProgram(command: string[], policy: object, options: Partial<GatewayOptions> = {}) {
  const clock = new Clock({ mode: 'manual' })
  const upstream = { command: [process.execPath, ...command] as [string, ...string[]] }
  return startGateway({ policy: engineOf(policy, clock), clock, upstream, ...options })
}
const SAFEBOT = [COMMAND, 'safebot', '--clock', 'manual', '--seed', 'x']
const fixture = (name: string) => [join(import.meta.dirname, '../../support/servers', name)]

describe('a client on a pipe, an upstream over HTTP', () => {
  it('has a session there, follows the policy, and receives messages that the upstream sends by itself', async () => {
    const understudy = await startUnderstudy()
    const gateway = await inFrontOf(understudy, 'safebot', ONE_ROOM, { http: false })
    const pipe = new GatewayPipe(gateway)
    expect(await pipe.ask(initialize())).toMatchObject({ result: { serverInfo: { name: 'safebot-chat' } } })
    pipe.say({ jsonrpc: '2.0', method: 'notifications/initialized' })
    const { result } = await pipe.ask(rpc('tools/list', {}, 'list'))
    expect(Object(result).tools).toHaveLength(7)
    expect(await pipe.ask(toolCall('create_room', {}, 2))).not.toMatchObject(denied)
    expect(await pipe.ask(toolCall('create_room', {}, 3))).toMatchObject(denied)
    expect(understudy.journal.entries({ tool: 'create_room' })).toMatchObject([
      { session: expect.any(String) },
    ])
    await understudy.journal.waitFor({ method: 'GET /mcp' }).catch(() => undefined)
    understudy.catalogue.set([
      { server: 'safebot', tool: 'room_status', notify: true, do: { describe: 'Changed' } },
    ])
    await pipe.find(({ method }) => method === 'notifications/tools/list_changed')
  })

  // fidelity gateway/intercept, differs: From stdio to HTTP one call blocks the next. Here: No call waits for
  // another, so that a long wait can be cancelled.
  it('is not blocked by a waiting call, and can cancel it', async () => {
    const understudy = await startUnderstudy()
    const gateway = await inFrontOf(understudy, 'safebot', OPEN, { http: false })
    const pipe = new GatewayPipe(gateway)
    await pipe.ask(initialize())
    const room = Object(await pipe.ask(toolCall('create_room', {}, 2))).result.structuredContent
    pipe.say(toolCall('claim_task', { url: room.url }, 3, { _meta: { progressToken: 'p' } }))
    await understudy.clock.whenPending(1)
    expect(await pipe.ask(rpc('ping', undefined, 4))).toMatchObject({ result: {} })
    await understudy.clock.advance(30_000)
    const { params } = await pipe.find(({ method }) => method === 'notifications/progress')
    expect(params).toMatchObject({ progressToken: 'p' })
    pipe.say(cancel(3))
    await understudy.journal.waitFor({ tool: 'claim_task', outcome: 'aborted' }, PATIENT)
    expect(gateway.audit.entries().at(-1)).toMatchObject({ upstream: { ended: 'cancelled', quota: 'kept' } })
  })

  it('gets an error when its session is lost, and may initialize again', async () => {
    const understudy = await startUnderstudy()
    const gateway = await inFrontOf(understudy, 'safebot', OPEN, { http: false })
    const pipe = new GatewayPipe(gateway)
    await pipe.ask(initialize())
    const [{ session } = { session: null }] = understudy.journal.entries({ method: 'initialize' })
    await send(understudy.safebot.mcpUrl, {
      method: 'DELETE',
      headers: { 'mcp-session-id': String(session) },
    })
    expect(await pipe.ask(rpc('ping', undefined, 2))).toMatchObject({ error: { code: -32001 } })
    expect(await pipe.ask({ ...initialize(), id: 3 })).toMatchObject({ result: {} })
    expect(await pipe.ask(rpc('ping', undefined, 4))).toMatchObject({ result: {} })
  })
})

describe('a client on a pipe, in front of a program', () => {
  // fidelity gateway/intercept, differs: In front of a program, messages of a batch are not judged. Here:
  // Each is judged, because a batch would avoid the policy.
  it('has every message judged, also in a batch', async () => {
    const gateway = await inFrontOfProgram(SAFEBOT, ONE_ROOM, { http: false })
    const pipe = new GatewayPipe(gateway)
    await pipe.ask(initialize('2025-03-26'))
    pipe.say([
      toolCall('create_room', {}, 'a'),
      toolCall('create_room', {}, 'b'),
      toolCall('next_task', {}, 'c'),
    ])
    await until(() => pipe.messages.length === 2)
    const answers: { id?: unknown }[] = Object.values(Object(pipe.messages[1]))
    const ids = ['a', 'b', 'c'].map(id => answers.find(answer => answer.id === id))
    expect(ids).toMatchObject([{ result: { structuredContent: {} } }, denied, denied])
    expect(
      gateway.audit
        .entries()
        .map(({ outcome }) => outcome)
        .sort(),
    ).toEqual(['allowed', 'denied', 'denied'])
  })

  // fidelity gateway/intercept, differs: A program that ends leaves its client without an answer. Here: Open
  // calls get an error, because they would wait for nothing.
  it('gets errors for open calls when the program ends, with the exit code', async () => {
    const gateway = await inFrontOfProgram(fixture('loose-server.mjs'), OPEN, { http: false })
    const pipe = new GatewayPipe(gateway)
    expect(await pipe.ask(toolCall('die', {}, 5))).toEqual({
      jsonrpc: '2.0',
      id: 5,
      error: { code: -32000, message: 'the upstream has ended (exit code 7)' },
    })
    expect(await gateway.ended).toBe(7)
    expect(gateway.audit.entries()).toMatchObject([{ upstream: { ended: 'lost', quota: 'kept' } }])
    expect(await pipe.ask(toolCall('die', {}, 6))).toMatchObject({ error: { code: -32000 } })
  })

  it('gets an error for an answer that cannot be read, and none for noise', async () => {
    const gateway = await inFrontOfProgram(fixture('loose-server.mjs'), OPEN, { http: false })
    const pipe = new GatewayPipe(gateway)
    expect(await pipe.ask(toolCall('garble', {}, 1))).toMatchObject({ error: { code: -32000 } })
    expect(await pipe.ask(toolCall('chatter', {}, 2))).toMatchObject({ result: { content: [] } })
  })
})

describe('clients over HTTP, in front of a program', () => {
  it('have sessions and ids of the gateway', async () => {
    const gateway = await inFrontOfProgram(SAFEBOT, ONE_ROOM)
    const [one, other] = [await connectOver(gateway.url), await connectOver(gateway.url)]
    expect((await one.listTools()).tools).toHaveLength(7)
    const room = await ok(one, 'create_room')
    expect(textOf(await call(other, 'create_room'))).toContain('POLICY DENIED')
    const both = await Promise.all([
      call(one, 'room_status', { url: room.url }),
      call(other, 'room_status', { url: room.url }),
    ])
    expect(both.map(({ isError }) => isError)).toEqual([undefined, undefined])
  })

  it('can call without a session', async () => {
    const gateway = await inFrontOfProgram(SAFEBOT, OPEN)
    const answers = await Promise.all(
      [1, 1, 1].map(id => send(gateway.url, { body: rpc('tools/list', {}, id) })),
    )
    for (const { status, json } of answers) {
      expect([status, json]).toMatchObject([200, { id: 1, result: { tools: { length: 8 } } }])
    }
  })

  it('get requests of the program within their session', async () => {
    const gateway = await inFrontOfProgram(fixture('loose-server.mjs'), OPEN)
    const headers = { 'mcp-session-id': await openSession(gateway.url) }
    const call = await HttpStream.open(gateway.url, 'POST', headers, toolCall('ask', {}, 1))
    await call.has('roots/list')
    const [{ id }] = eventsOf(call.text) as [{ id: number }]
    const stranger = { 'mcp-session-id': await openSession(gateway.url) }
    const roots = (uri: string) => ({ jsonrpc: '2.0', id, result: { roots: [{ uri }] } })
    expect((await send(gateway.url, { headers: stranger, body: roots('file:///forged') })).status).toBe(202)
    expect((await send(gateway.url, { headers, body: roots('file:///here') })).status).toBe(202)
    await call.has('file:///here')
    expect(call.text).not.toContain('forged')
  })

  it('cancel a call by hanging up', async () => {
    const gateway = await inFrontOfProgram(fixture('loose-server.mjs'), OPEN)
    const headers = { 'mcp-session-id': await openSession(gateway.url) }
    const said = async () => (await send(gateway.url, { headers, body: toolCall('open', {}, 2) })).body
    const waiting = await HttpStream.open(
      gateway.url,
      'POST',
      headers,
      toolCall('wait', {}, 1, { _meta: { progressToken: 1 } }),
    )
    while (!(await said()).includes('1 waiting, 0 cancelled'));
    waiting.drop()
    while (!(await said()).includes('0 waiting, 1 cancelled'));
  })
})
