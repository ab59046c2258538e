import { describe, expect, it } from 'vitest'
import { BOTH, eventsOf, initialize, openSession, rpc, send } from '../../support/clients/raw-http.js'
import { startUnderstudy } from '../../support/servers/understudy.js'

async function endpoint(): Promise<string> {
  return (await startUnderstudy()).safebot.mcpUrl
}

const names = (json: unknown) =>
  expect.objectContaining({ result: { tools: expect.any(Array) }, ...Object(json) })

describe('a caller without a session', () => {
  it('is answered in one JSON body', async () => {
    const { status, headers, json } = await send(await endpoint(), { body: rpc('tools/list') })
    expect(status).toBe(200)
    expect(headers['content-type']).toBe('application/json')
    expect(headers['mcp-session-id']).toBeUndefined()
    expect(json).toEqual(names({ id: 1 }))
  })

  it('gets its own id back, whatever the id is, also if others use the same', async () => {
    const url = await endpoint()
    const ids = [0, 1, 1, 'one', '']
    const answers = await Promise.all(ids.map(id => send(url, { body: rpc('ping', undefined, id) })))
    expect(answers.map(({ json }) => json)).toEqual(ids.map(id => ({ jsonrpc: '2.0', id, result: {} })))
  })

  it('is answered as a stream if it accepts only streams', async () => {
    const { headers, body } = await send(await endpoint(), {
      body: rpc('ping'),
      headers: { accept: 'text/event-stream' },
    })
    expect(headers['content-type']).toBe('text/event-stream')
    expect(eventsOf(body)).toEqual([{ jsonrpc: '2.0', id: 1, result: {} }])
  })

  it.each(['application/json', '*/*', 'application/*', BOTH])(
    'is answered in JSON if it accepts %s',
    async accept => {
      const { headers } = await send(await endpoint(), { body: rpc('ping'), headers: { accept } })
      expect(headers['content-type']).toBe('application/json')
    },
  )

  it('gets 406 if it accepts neither', async () => {
    const { status, json } = await send(await endpoint(), {
      body: rpc('ping'),
      headers: { accept: 'text/html' },
    })
    expect([status, json]).toMatchObject([406, { error: { code: -32000 }, id: null }])
  })
})

describe('a session', () => {
  it('begins with initialize, accepts calls, and ends with DELETE', async () => {
    const url = await endpoint()
    const session = await openSession(url)
    expect(session).toMatch(/^[\x21-\x7e]+$/)
    const headers = { 'mcp-session-id': session }
    expect((await send(url, { headers, body: rpc('ping') })).status).toBe(200)
    expect((await send(url, { headers, method: 'DELETE' })).status).toBe(200)
    const gone = await send(url, { headers, body: rpc('ping') })
    expect([gone.status, gone.json]).toMatchObject([404, { error: { code: -32001 } }])
  })

  it('that is unknown gets 404 for POST, GET and DELETE', async () => {
    const url = await endpoint()
    const headers = { 'mcp-session-id': 'nobody' }
    for (const method of ['POST', 'GET', 'DELETE']) {
      const { status } = await send(url, { method, headers, ...(method === 'POST' && { body: rpc('ping') }) })
      expect([method, status]).toEqual([method, 404])
    }
  })

  it('is needed for GET and DELETE', async () => {
    const url = await endpoint()
    for (const method of ['GET', 'DELETE']) {
      const { status, json } = await send(url, { method })
      expect([status, json]).toMatchObject([
        400,
        { error: { message: expect.stringContaining('Mcp-Session-Id') } },
      ])
    }
  })

  it('is not initialized twice', async () => {
    const url = await endpoint()
    const headers = { 'mcp-session-id': await openSession(url) }
    expect((await send(url, { headers, body: initialize() })).status).toBe(400)
  })

  it('does not begin if initialize fails', async () => {
    const { status, headers, json } = await send(await endpoint(), {
      body: rpc('initialize', { nothing: true }),
    })
    expect(status).toBe(200)
    expect(headers['mcp-session-id']).toBeUndefined()
    expect(json).toMatchObject({ error: expect.any(Object) })
  })

  it.each(['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'])(
    'speaks protocol revision %s',
    async version => {
      const { json } = await send(await endpoint(), { body: initialize(version) })
      expect(json).toMatchObject({
        result: { protocolVersion: version, serverInfo: { name: 'safebot-chat' } },
      })
    },
  )

  it('offers the latest revision to a client that asks for one it does not know', async () => {
    const { json } = await send(await endpoint(), { body: initialize('2099-01-01') })
    expect(json).toMatchObject({ result: { protocolVersion: '2025-11-25' } })
  })
})

describe('a request that is refused before it reaches the server', () => {
  const cases: [string, number, Parameters<typeof send>[1]][] = [
    ['a foreign Origin', 403, { headers: { origin: 'https://evil.invalid' }, body: rpc('ping') }],
    ['a foreign Host', 403, { headers: { host: 'evil.invalid' }, body: rpc('ping') }],
    ['a foreign Origin on GET', 403, { method: 'GET', headers: { origin: 'https://evil.invalid' } }],
    ['another content type', 415, { headers: { 'content-type': 'text/plain' }, body: rpc('ping') }],
    ['another method', 405, { method: 'PUT', body: rpc('ping') }],
    [
      'an unknown protocol revision',
      400,
      { headers: { 'mcp-protocol-version': '1999-01-01' }, body: rpc('ping') },
    ],
    ['a body that is not JSON', 400, { body: '{"jsonrpc":' }],
    ['an empty body', 400, { body: '' }],
    ['a body of 4 MiB and a byte', 413, { body: `"${'x'.repeat(4 * 1024 * 1024 - 1)}"` }],
  ]

  it.each(cases)('%s gets a JSON error and is in the journal', async (_, status, request) => {
    const understudy = await startUnderstudy()
    const answer = await send(understudy.safebot.mcpUrl, request)
    expect(answer.status).toBe(status)
    expect(answer.headers['content-type']).toBe('application/json')
    expect(answer.json).toMatchObject({ jsonrpc: '2.0', error: { message: expect.any(String) }, id: null })
    expect(answer.body).not.toContain(' at ')
    expect(understudy.journal.entries().map(({ outcome }) => outcome)).toEqual(['protocol_error'])
  })

  it('malformed JSON is -32700', async () => {
    expect((await send(await endpoint(), { body: '{' })).json).toMatchObject({ error: { code: -32700 } })
  })

  it('accepts a body of exactly 4 MiB', async () => {
    const padding = 'x'.repeat(4 * 1024 * 1024 - JSON.stringify(rpc('ping', { pad: '' })).length)
    expect((await send(await endpoint(), { body: rpc('ping', { pad: padding }) })).status).toBe(200)
  })
})

describe('an invalid message', () => {
  it.each([
    ['null', null, null],
    ['a text', '"hello"', null],
    ['an object of another kind', { hello: 1 }, null],
    ['a request without jsonrpc', { id: 7, method: 'ping' }, 7],
    ['a request with a fraction for an id', { jsonrpc: '2.0', id: 1.5, method: 'ping' }, null],
    ['a request whose params are a list', { jsonrpc: '2.0', id: 7, method: 'ping', params: [] }, 7],
    ['a request whose _meta is a text', rpc('tools/list', { _meta: 'x' }, 7), 7],
    ['a request with a key too many', { ...rpc('ping', undefined, 7), extra: 1 }, 7],
    ['a tool call whose _meta is a text', rpc('tools/call', { name: 'x', _meta: 'x' }, 7), 7],
    ['a tool call whose progressToken is a list', rpc('tools/call', { _meta: { progressToken: [] } }, 7), 7],
    ['a tool call with a key too many', { ...rpc('tools/call', undefined, 7), extra: 1 }, 7],
  ])('%s gets 400 and -32600', async (_, body, id) => {
    const { status, json } = await send(await endpoint(), { body: body === null ? 'null' : body })
    expect([status, json]).toMatchObject([400, { error: { code: -32600 }, id }])
  })

  it('an unknown method is -32601', async () => {
    const { status, json } = await send(await endpoint(), { body: rpc('tools/burn') })
    expect([status, json]).toMatchObject([200, { error: { code: -32601 } }])
  })

  it('a notification, known or not, is accepted without an answer', async () => {
    const url = await endpoint()
    for (const method of ['notifications/initialized', 'notifications/whatever', 'notifications/cancelled']) {
      const { status, body } = await send(url, { body: { jsonrpc: '2.0', method } })
      expect([status, body]).toEqual([202, ''])
    }
  })

  it('a response to nothing is accepted without an answer', async () => {
    const { status } = await send(await endpoint(), { body: { jsonrpc: '2.0', id: 9, result: {} } })
    expect(status).toBe(202)
  })
})

describe('a batch', () => {
  const batch = [
    rpc('ping', undefined, 'a'),
    { jsonrpc: '2.0', method: 'notifications/x' },
    rpc('ping', undefined, 'b'),
  ]

  it('is answered as a list if the protocol revision has batches', async () => {
    const url = await endpoint()
    const { json } = await send(url, { body: batch, headers: { 'mcp-protocol-version': '2025-03-26' } })
    expect(json).toEqual([
      { jsonrpc: '2.0', id: 'a', result: {} },
      { jsonrpc: '2.0', id: 'b', result: {} },
    ])
    expect((await send(url, { body: batch })).status).toBe(200)
  })

  it('is refused if the revision has none, by header or by session', async () => {
    const url = await endpoint()
    const byHeader = await send(url, { body: batch, headers: { 'mcp-protocol-version': '2025-06-18' } })
    expect([byHeader.status, byHeader.json]).toMatchObject([400, { error: { code: -32600 } }])
    const session = await openSession(url, '2025-11-25')
    expect((await send(url, { body: batch, headers: { 'mcp-session-id': session } })).status).toBe(400)
  })

  it.each([
    ['empty', []],
    ['of 101', Array.from({ length: 101 }, () => rpc('ping'))],
    ['with initialize in it', [initialize(), rpc('ping', undefined, 2)]],
  ])('%s is refused', async (_, body) => {
    expect((await send(await endpoint(), { body })).status).toBe(400)
  })

  it('of notifications only is accepted without an answer', async () => {
    const body = [{ jsonrpc: '2.0', method: 'notifications/x' }]
    expect((await send(await endpoint(), { body })).status).toBe(202)
  })

  it('answers each of its invalid messages with an error', async () => {
    const { json } = await send(await endpoint(), { body: [1, rpc('ping', undefined, 'a')] })
    expect(json).toMatchObject([
      { error: { code: -32600 }, id: null },
      { id: 'a', result: {} },
    ])
  })
})

it('has the exact body of every request in the journal', async () => {
  const { safebot, journal } = await startUnderstudy()
  const body =
    '{ "jsonrpc":"2.0", "id":1, "method":"tools/call", "params":{"name":"nope","arguments":{"é":1}} }'
  await send(safebot.mcpUrl, { body, headers: { 'x-safebot-handle': 'alice' } })
  expect(journal.entries()).toMatchObject([
    {
      raw: body,
      requestBytes: Buffer.byteLength(body),
      tool: 'nope',
      arguments: { é: 1 },
      caller: 'alice',
      outcome: 'tool_error',
    },
  ])
})

it('names the MCP endpoint in the answer to an unknown path', async () => {
  const { safebot } = await startUnderstudy()
  const { status, json } = await send(`${safebot.apiUrl}/x`, { method: 'GET' })
  expect([status, json]).toEqual([404, { error: expect.stringContaining('MCP is at /mcp') }])
  const foreign = { method: 'GET', headers: { host: 'evil.invalid' } }
  expect((await send(`${safebot.apiUrl}/api/health`, foreign)).status).toBe(403)
})
