import { describe, expect, it } from 'vitest'
import { HttpStream } from '../../support/clients/http-stream.js'
import { eventsOf, initialize, openSession, rpc, send } from '../../support/clients/raw-http.js'
import { connectOver, inFrontOf } from '../../support/gateway/gateway.js'
import { PATIENT } from '../../support/run/run-options.js'
import { call, ok, startUnderstudy, textOf } from '../../support/servers/understudy.js'
import { until } from '../../support/until.js'

const OPEN = { default: 'allow', tools: {} }

const toolCall = (name: string, args: unknown, id: unknown = 1, more: object = {}) =>
  rpc('tools/call', { name, arguments: args, ...more }, id)

describe('a session over HTTP', () => {
  it('is the upstream’s own: opened, used and ended there', async () => {
    const understudy = await startUnderstudy()
    const { url } = await inFrontOf(understudy, 'safebot', OPEN)
    const session = await openSession(url)
    const headers = { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' }
    expect((await send(url, { headers, body: rpc('ping') })).json).toEqual({
      jsonrpc: '2.0',
      id: 1,
      result: {},
    })
    expect(understudy.journal.entries({ method: 'ping' })).toMatchObject([{ session }])
    expect((await send(url, { method: 'DELETE', headers })).status).toBe(200)
    const gone = await send(url, { headers, body: rpc('ping') })
    expect([gone.status, gone.json]).toMatchObject([404, { error: { code: -32001 } }])
    expect(await openSession(url)).not.toBe(session)
  })

  it('is not needed: a call without one is answered in one body', async () => {
    const understudy = await startUnderstudy()
    const { url } = await inFrontOf(understudy, 'safebot', OPEN)
    const { status, headers, json } = await send(url, { body: rpc('tools/list') })
    expect([status, headers['content-type']]).toEqual([200, 'application/json'])
    expect(json).toMatchObject({ id: 1, result: { tools: { length: 8 } } })
  })

  it('receives changes of the tool list', async () => {
    const understudy = await startUnderstudy()
    const { url } = await inFrontOf(understudy, 'safebot', OPEN)
    const session = await openSession(url)
    const stream = await HttpStream.open(url, 'GET', { 'mcp-session-id': session })
    understudy.catalogue.set([
      { server: 'safebot', tool: 'room_status', notify: true, do: { describe: 'Changed' } },
    ])
    await stream.has('notifications/tools/list_changed')
    stream.drop()
  })
})

describe('a blocking call', () => {
  it('is cancelled by its caller, and the upstream sees it', async () => {
    const understudy = await startUnderstudy()
    const { url, audit } = await inFrontOf(understudy, 'safebot', OPEN)
    const client = await connectOver(url)
    const room = await ok(client, 'create_room')
    const leaving = new AbortController()
    const claimed = call(client, 'claim_task', { url: room.url }, { signal: leaving.signal })
    await understudy.clock.whenPending(1)
    leaving.abort('no longer wanted')
    await expect(claimed).rejects.toThrow('no longer wanted')
    await understudy.journal.waitFor({ tool: 'claim_task', outcome: 'aborted' }, PATIENT)
    await until(() => audit.entries().length === 2)
    expect(audit.entries()[1]).toMatchObject({
      tool: 'claim_task',
      upstream: { ended: 'cancelled', quota: 'kept' },
    })
  })

  it('is cancelled when its caller hangs up', async () => {
    const understudy = await startUnderstudy()
    const { url, audit } = await inFrontOf(understudy, 'safebot', OPEN)
    const client = await connectOver(url)
    const room = await ok(client, 'create_room')
    const body = toolCall('claim_task', { url: room.url }, 1, { _meta: { progressToken: 1 } })
    const stream = await HttpStream.open(url, 'POST', {}, body)
    await understudy.clock.whenPending(1)
    stream.drop()
    await understudy.journal.waitFor({ tool: 'claim_task', outcome: 'aborted' }, PATIENT)
    await until(() => audit.entries().length === 2)
    expect(audit.entries()[1]).toMatchObject({ upstream: { ended: 'cancelled' } })
  })

  it('blocks no other call, and reports its progress', async () => {
    const understudy = await startUnderstudy()
    const { url } = await inFrontOf(understudy, 'safebot', OPEN)
    const client = await connectOver(url)
    const room = await ok(client, 'create_room')
    const progress: number[] = []
    const claimed = call(
      client,
      'claim_task',
      { url: room.url },
      { onprogress: ({ progress: done }) => progress.push(done) },
    )
    await understudy.clock.whenPending(1)
    await ok(client, 'room_status', { url: room.url })
    await understudy.clock.advance(30_000)
    expect(progress.length).toBeGreaterThan(0)
    const other = await connectOver(url)
    await ok(other, 'send_message', { url: room.url, text: 'work' })
    expect(textOf(await claimed)).toContain('work')
  })
})

describe('two hundred concurrent calls', () => {
  it('are all answered, each with its own answer', async () => {
    const understudy = await startUnderstudy()
    const { url, audit } = await inFrontOf(understudy, 'safebot', OPEN)
    const client = await connectOver(url)
    const { url: room } = await ok(client, 'create_room')
    const texts = Array.from({ length: 200 }, (_, at) => `message ${at}`)
    const sent = await Promise.all(texts.map(text => ok(client, 'send_message', { url: room, text })))
    expect(new Set(sent.map(({ seq }) => seq)).size).toBe(200)
    expect(audit.entries()).toHaveLength(201)
    const hashes = understudy.journal.entries({ tool: 'send_message' }).map(({ argsHash }) => argsHash)
    const audited = audit.entries().filter(({ tool }) => tool === 'send_message')
    expect(audited.map(({ argsHash }) => argsHash).sort()).toEqual(hashes.sort())
  })
})

describe('a batch', () => {
  const batch = (url: string, ...messages: object[]) =>
    send(url, { body: messages, headers: { 'mcp-protocol-version': '2025-03-26' } })
  const POLICY = {
    default: 'allow',
    tools: { create_room: { deny_if: [{ conditions: [], on_deny: 'no rooms' }] } },
  }

  // fidelity gateway/intercept, differs: Over HTTP a denied message of a batch is answered last. Here: It is
  // answered in its place, because clients may rely on the order.
  // fidelity gateway/policylayer, differs: A batch is refused as a whole. Here: Each message is judged,
  // because one denial need not stop the others.
  it('has each message judged, and is answered in order', async () => {
    const understudy = await startUnderstudy()
    const { url } = await inFrontOf(understudy, 'safebot', POLICY)
    const { status, json } = await batch(url, toolCall('create_room', {}, 'a'), rpc('ping', undefined, 'b'))
    expect([status, json]).toMatchObject([
      200,
      [
        { id: 'a', result: { isError: true } },
        { id: 'b', result: {} },
      ],
    ])
    understudy.journal.expectNothing({ tool: 'create_room' })
  })

  it('is answered by the gateway alone if every message is denied', async () => {
    const understudy = await startUnderstudy()
    const { url } = await inFrontOf(understudy, 'safebot', POLICY)
    const { json } = await batch(url, toolCall('create_room', {}, 1), toolCall('create_room', {}, 2))
    expect(json).toMatchObject([{ id: 1 }, { id: 2 }])
    expect(understudy.journal.entries()).toEqual([])
  })

  it('is answered as a stream to a caller that accepts only streams', async () => {
    const understudy = await startUnderstudy()
    const { url } = await inFrontOf(understudy, 'safebot', POLICY)
    const { body } = await send(url, {
      body: [toolCall('create_room', {}, 1), rpc('ping', undefined, 2)],
      headers: { accept: 'text/event-stream' },
    })
    expect(eventsOf(body)).toMatchObject([
      { id: 1, result: { isError: true } },
      { id: 2, result: {} },
    ])
  })

  it('is refused if two of its requests have the same id, or if its revision has no batches', async () => {
    const understudy = await startUnderstudy()
    const { url } = await inFrontOf(understudy, 'safebot', POLICY)
    expect((await batch(url, rpc('ping'), rpc('ping'))).status).toBe(400)
    const { status } = await send(url, {
      body: [rpc('ping')],
      headers: { 'mcp-protocol-version': '2025-11-25' },
    })
    expect(status).toBe(400)
    expect(understudy.journal.entries()).toEqual([])
  })
})

describe('a list of tools', () => {
  // fidelity gateway/intercept, same: `hide` removes a tool from the list.
  // fidelity gateway/intercept, differs: A filtered list loses `_meta` and other fields. Here: It keeps them,
  // because clients may need them.
  // fidelity gateway/policylayer, same: A hidden tool is not in the list, and calls of it are denied.
  it('lacks hidden tools on every page, and keeps all other fields', async () => {
    const understudy = await startUnderstudy()
    understudy.catalogue.set([{ server: 'safebot', do: { page: 3 } }])
    const { url } = await inFrontOf(understudy, 'safebot', { ...OPEN, hide: ['next_task', 'create_room'] })
    const [through, direct] = [await connectOver(url), await understudy.safebot.connect()]
    for (let cursor: string | undefined, page = 0; page < 3; page++) {
      const [ours, genuine] = [await through.listTools({ cursor }), await direct.listTools({ cursor })]
      const left = genuine.tools.filter(({ name }) => name !== 'next_task' && name !== 'create_room')
      expect(ours).toEqual({ ...genuine, tools: left })
      cursor = ours.nextCursor
    }
    expect(textOf(await call(through, 'next_task', {}))).toContain('POLICY DENIED')
  })

  it('lacks hidden tools in a stream, too', async () => {
    const understudy = await startUnderstudy()
    const { url } = await inFrontOf(understudy, 'safebot', { ...OPEN, hide: ['*'] })
    const { body } = await send(url, { body: rpc('tools/list'), headers: { accept: 'text/event-stream' } })
    expect(eventsOf(body)).toMatchObject([{ result: { tools: [] } }])
  })
})

describe('a message that cannot be judged', () => {
  const cases: [string, string][] = [
    ['a call that names no tool', JSON.stringify(rpc('tools/call', {}))],
    ['parameters in a list', '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":["create_room"]}'],
    [
      'a call with id null',
      '{"jsonrpc":"2.0","id":null,"method":"tools/call","params":{"name":"create_room"}}',
    ],
    [
      'a method that stands twice',
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","method":"ping","params":{"name":"create_room"}}',
    ],
    [
      'a tool that stands twice',
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"create_room","n\\u0061me":"ping"}}',
    ],
    [
      'an answer with a method',
      '{"jsonrpc":"2.0","id":1,"result":{},"method":"tools/call","params":{"name":"create_room"}}',
    ],
    [
      'a key that differs in case',
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ping","Name":"create_room"}}',
    ],
    [
      'an unknown key',
      '{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call","params":{"name":"create_room"}}',
    ],
    ['no revision of JSON-RPC', '{"id":1,"method":"tools/call","params":{"name":"create_room"}}'],
    ['no JSON', '{"jsonrpc":"2.0","id":1,'],
  ]

  it.each(cases)('is refused: %s', async (_, body) => {
    const understudy = await startUnderstudy()
    const { url } = await inFrontOf(understudy, 'safebot', OPEN)
    const { status, json } = await send(url, { body })
    expect([status, json]).toMatchObject([400, { error: { message: expect.any(String) } }])
    expect(understudy.journal.entries()).toEqual([])
  })

  it('is refused: invalid UTF-8, and headers that name another tool', async () => {
    const understudy = await startUnderstudy()
    const { url } = await inFrontOf(understudy, 'safebot', OPEN)
    const body = Buffer.from(JSON.stringify(toolCall('create_room\xff', {})), 'latin1')
    expect((await send(url, { body })).status).toBe(400)
    const named = await send(url, { body: toolCall('create_room', {}), headers: { 'mcp-name': 'ping' } })
    expect(named.status).toBe(400)
    expect(understudy.journal.entries()).toEqual([])
  })

  // fidelity gateway/intercept, differs: A denied notification gets an answer with id null. Here: It gets
  // none, because a notification has no answer.
  it('a denied notification is neither answered nor forwarded', async () => {
    const understudy = await startUnderstudy()
    const { url, audit } = await inFrontOf(understudy, 'safebot', { default: 'deny', tools: {} })
    const notification = { jsonrpc: '2.0', method: 'tools/call', params: { name: 'create_room' } }
    expect(await send(url, { body: notification })).toMatchObject({ status: 202, body: '' })
    expect(understudy.journal.entries()).toEqual([])
    expect(audit.entries()).toMatchObject([{ requestId: null, outcome: 'denied' }])
  })

  it('a page of another site and a foreign Host are refused', async () => {
    const understudy = await startUnderstudy()
    const { url } = await inFrontOf(understudy, 'safebot', OPEN)
    for (const headers of [{ origin: 'https://evil.invalid' }, { host: 'evil.invalid' }]) {
      expect((await send(url, { headers, body: initialize() })).status).toBe(403)
    }
  })
})
