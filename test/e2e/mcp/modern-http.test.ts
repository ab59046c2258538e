import { describe, expect, it } from 'vitest'
import { VERSION } from '../../../shared/util/version.js'
import { HttpStream } from '../../support/clients/http-stream.js'
import { MODERN, mirrored, modernCall, modernRpc, sendModern } from '../../support/clients/modern.js'
import { eventsOf, openSession, rpc, send } from '../../support/clients/raw-http.js'
import { startToyServer } from '../../support/servers/toy-server.js'
import { startUnderstudy } from '../../support/servers/understudy.js'

const SUPPORTED = [MODERN, '2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05', '2024-10-07']
const INFO = 'io.modelcontextprotocol/serverInfo'
const SUBSCRIPTION = 'io.modelcontextprotocol/subscriptionId'
const SAFEBOT = { [INFO]: { name: 'safebot-chat', version: VERSION } }
const TOY = { [INFO]: { name: 'toy', version: '1' } }

async function endpoint(): Promise<string> {
  return (await startUnderstudy()).safebot.mcpUrl
}

describe('a modern request', () => {
  it('to server/discover gets the supported revisions and capabilities', async () => {
    const { status, headers, json } = await sendModern(await endpoint(), modernRpc('server/discover'))
    expect([status, headers['content-type'], headers['mcp-session-id']]).toEqual([
      200,
      'application/json',
      undefined,
    ])
    expect(json).toEqual({
      jsonrpc: '2.0',
      id: 1,
      result: {
        resultType: 'complete',
        supportedVersions: SUPPORTED,
        capabilities: { tools: { listChanged: true } },
        ttlMs: 0,
        cacheScope: 'private',
        _meta: SAFEBOT,
      },
    })
  })

  it('to tools/list gets the tools of a session, and how long the list may be cached', async () => {
    const url = await endpoint()
    const session = await openSession(url)
    const legacy = await send(url, { body: rpc('tools/list'), headers: { 'mcp-session-id': session } })
    const { json } = await sendModern(url, modernRpc('tools/list'))
    expect(json).toEqual({
      jsonrpc: '2.0',
      id: 1,
      result: {
        resultType: 'complete',
        ttlMs: 0,
        cacheScope: 'private',
        tools: Object(legacy.json).result.tools,
        _meta: SAFEBOT,
      },
    })
  })

  it('to tools/call is answered with a complete result', async () => {
    const { url } = await startToyServer()
    const { status, json } = await sendModern(url, modernCall('echo', { text: 'hi' }, 'x'))
    expect([status, json]).toEqual([
      200,
      {
        jsonrpc: '2.0',
        id: 'x',
        result: {
          resultType: 'complete',
          content: [{ type: 'text', text: 'hi' }],
          structuredContent: { text: 'hi' },
          _meta: TOY,
        },
      },
    ])
  })

  it('that its tool refuses is also answered with a complete result', async () => {
    const { url } = await startToyServer()
    const { status, json } = await sendModern(url, modernCall('echo', { word: 'hi' }))
    expect([status, json]).toMatchObject([
      200,
      { result: { resultType: 'complete', isError: true, _meta: TOY } },
    ])
  })

  it('for a tool that does not exist is a protocol error', async () => {
    const { url } = await startToyServer()
    const { status, json } = await sendModern(url, modernCall('burn'))
    const message = 'Unknown tool: burn. This server has park, echo, crash.'
    expect([status, json]).toEqual([200, { jsonrpc: '2.0', id: 1, error: { code: -32602, message } }])
  })

  it('streams progress, then its answer', async () => {
    const { url, happened } = await startToyServer()
    const body = modernCall('park', { as: 'a' }, 1, { progressToken: 'p' })
    const stream = await HttpStream.open(url, 'POST', mirrored(body), body)
    await stream.has('notifications/progress')
    expect(stream.response.headers['x-accel-buffering']).toBe('no')
    stream.drop()
    await happened('a aborted: the caller hung up')
  })

  it('is cancelled when its caller closes the connection', async () => {
    const { url, happened, instance } = await startToyServer()
    const body = modernCall('park', { as: 'a' })
    void HttpStream.open(url, 'POST', mirrored(body), body, async request => {
      await happened('a parked')
      request.destroy()
    }).catch(() => undefined)
    await happened('a aborted: the caller hung up')
    expect(instance.journal.entries({ tool: 'park' })).toMatchObject([{ outcome: 'aborted' }])
  })

  it('gets no session, and ignores a session that it names', async () => {
    const { safebot, journal } = await startUnderstudy()
    const url = safebot.mcpUrl
    const session = await openSession(url)
    for (const id of [session, 'nobody']) {
      const { status, headers } = await sendModern(url, modernRpc('tools/list'), { 'Mcp-Session-Id': id })
      expect([status, headers['mcp-session-id']]).toEqual([200, undefined])
    }
    expect(journal.entries({ method: 'tools/list' })).toMatchObject([
      { session: null, caller: 'mcp-local' },
      { session: null, caller: 'mcp-local' },
    ])
    expect((await send(url, { body: rpc('ping'), headers: { 'mcp-session-id': session } })).status).toBe(200)
  })

  it('with Last-Event-ID is answered like one without', async () => {
    const { status } = await sendModern(await endpoint(), modernRpc('tools/list'), { 'Last-Event-ID': '7' })
    expect(status).toBe(200)
  })

  it('has the handle of its header, of its URL, or none', async () => {
    const { safebot, journal } = await startUnderstudy()
    const url = safebot.mcpUrl
    await sendModern(url, modernRpc('tools/list'), { 'X-Safebot-Handle': 'alice' })
    await sendModern(`${url}?handle=bob`, modernRpc('tools/list'))
    await sendModern(url, modernRpc('tools/list'))
    expect(journal.entries().map(({ caller }) => caller)).toEqual(['alice', 'bob', 'mcp-local'])
  })

  it('can use one connection with legacy requests', async () => {
    const url = await endpoint()
    const session = { 'mcp-session-id': await openSession(url) }
    const answers = [
      await sendModern(url, modernRpc('server/discover')),
      await send(url, { body: rpc('ping'), headers: session }),
      await sendModern(url, modernRpc('ping')),
      await send(url, { body: rpc('tools/list') }),
      await send(url, { body: rpc('server/discover') }),
    ]
    expect(answers.map(({ status, json }) => [status, Object(json).error?.code])).toEqual([
      [200, undefined],
      [200, undefined],
      [404, -32601],
      [200, undefined],
      [200, -32601],
    ])
  })

  it.each([
    ['a known notification', 'notifications/cancelled'],
    ['an unknown one', 'notifications/whatever'],
  ])('that is %s is accepted without an answer', async (_, method) => {
    const body = { jsonrpc: '2.0', method, params: { requestId: 1 } }
    const { status, body: text } = await send(await endpoint(), {
      body,
      headers: { 'mcp-protocol-version': MODERN },
    })
    expect([status, text]).toEqual([202, ''])
  })
})

describe('a subscription', () => {
  const listen = (id: unknown, notifications: unknown) =>
    modernRpc('subscriptions/listen', { notifications }, id)
  const open = (url: string, body: Record<string, unknown>) =>
    HttpStream.open(url, 'POST', mirrored(body), body)
  const acknowledged = (id: unknown, notifications: object) => ({
    jsonrpc: '2.0',
    method: 'notifications/subscriptions/acknowledged',
    params: { notifications, _meta: { [SUBSCRIPTION]: id } },
  })

  it('is acknowledged, receives changes, and ends with the server', async () => {
    const { url, host, endpoint: mcp } = await startToyServer()
    const stream = await open(url, listen(9, { toolsListChanged: true, promptsListChanged: true }))
    await stream.has('acknowledged')
    host.announceTools()
    await stream.has('tools/list_changed')
    mcp.close()
    await stream.ended
    expect(eventsOf(stream.text)).toEqual([
      acknowledged(9, { toolsListChanged: true }),
      {
        jsonrpc: '2.0',
        method: 'notifications/tools/list_changed',
        params: { _meta: { [SUBSCRIPTION]: 9 } },
      },
      { jsonrpc: '2.0', id: 9, result: { resultType: 'complete', _meta: { [SUBSCRIPTION]: 9, ...TOY } } },
    ])
  })

  it('receives only the changes that it requested', async () => {
    const { url, host, endpoint: mcp } = await startToyServer()
    const stream = await open(url, listen('s', { resourcesListChanged: true }))
    await stream.has('acknowledged')
    host.announceTools()
    mcp.close()
    await stream.ended
    expect(eventsOf(stream.text)).toMatchObject([acknowledged('s', {}), { id: 's' }])
  })

  it('ends when its caller closes the stream', async () => {
    const { url, instance } = await startToyServer()
    const stream = await open(url, listen(9, { toolsListChanged: true }))
    await stream.has('acknowledged')
    stream.drop()
    await instance.journal.waitFor({ method: 'subscriptions/listen', outcome: 'aborted' })
  })

  it('is kept open by comments', async () => {
    const { url, machine } = await startToyServer()
    const stream = await open(url, listen(9, {}))
    await stream.has('acknowledged')
    await machine.advance(15_000)
    await stream.has(': keep-alive')
    stream.drop()
  })

  it('is refused without a filter, and if the caller accepts no stream', async () => {
    const { url } = await startToyServer()
    const { json } = await sendModern(url, modernRpc('subscriptions/listen'))
    expect(json).toMatchObject({ id: 1, error: { code: -32602 } })
    const answer = await sendModern(url, listen(2, {}), { accept: 'application/json' })
    expect([answer.status, answer.json]).toEqual([
      406,
      {
        jsonrpc: '2.0',
        id: 2,
        error: { code: -32600, message: 'Not Acceptable: the Accept header must allow text/event-stream' },
      },
    ])
  })

  it('reports a change by an overlay', async () => {
    const { safebot, catalogue } = await startUnderstudy()
    const stream = await open(safebot.mcpUrl, listen(1, { toolsListChanged: true }))
    await stream.has('acknowledged')
    catalogue.set([{ server: 'safebot', tool: 'ack_task', notify: true, do: { describe: 'changed' } }])
    await stream.has('tools/list_changed')
    stream.drop()
  })
})

describe('an overlay that begins after some lists', () => {
  const overlays = [{ server: 'safebot', tool: 'ack_task', after: 1, do: { rename: 'acknowledge' } }]

  it('counts the lists of each handle', async () => {
    const { safebot, catalogue } = await startUnderstudy()
    catalogue.set(overlays)
    const last = async (handle: string) => {
      const { json } = await sendModern(safebot.mcpUrl, modernRpc('tools/list'), {
        'X-Safebot-Handle': handle,
      })
      return Object(json).result.tools.at(-1).name
    }
    expect(await last('alice')).toBe('ack_task')
    expect(await last('bob')).toBe('ack_task')
    expect(await last('alice')).toBe('acknowledge')
    const called = await sendModern(safebot.mcpUrl, modernCall('ack_task', {}), {
      'X-Safebot-Handle': 'alice',
    })
    expect(called.json).toMatchObject({ error: { code: -32602 } })
    const other = await sendModern(safebot.mcpUrl, modernCall('ack_task', {}), {
      'X-Safebot-Handle': 'carol',
    })
    expect(other.json).toMatchObject({ result: { isError: true } })
  })

  it('continues the count of a snapshot', async () => {
    const { safebot, catalogue, snapshot, restore } = await startUnderstudy().then(understudy => ({
      ...understudy,
      snapshot: () => understudy.snapshot(),
      restore: (taken: Awaited<ReturnType<typeof understudy.snapshot>>) => understudy.restore(taken),
      catalogue: understudy.catalogue,
      safebot: understudy.safebot,
    }))
    catalogue.set(overlays)
    const last = async () =>
      Object((await sendModern(safebot.mcpUrl, modernRpc('tools/list'))).json).result.tools.at(-1).name
    expect(await last()).toBe('ack_task')
    const taken = await snapshot()
    catalogue.set(overlays)
    expect(await last()).toBe('ack_task')
    await restore(taken)
    expect(await last()).toBe('acknowledge')
  })
})
