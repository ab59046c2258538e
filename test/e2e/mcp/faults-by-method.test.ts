import { describe, expect, it } from 'vitest'
import type { Fault, FaultAction } from '../../../shared/faults/fault.js'
import { MODERN, modernCall, modernRpc, sendModern } from '../../support/clients/modern.js'
import { initialize, openSession, rpc, send } from '../../support/clients/raw-http.js'
import { startToyServer, type ToyPipe } from '../../support/servers/toy-server.js'
import { startUnderstudy } from '../../support/servers/understudy.js'

type Method = Exclude<Fault['method'], undefined>

/** A toy server on which the next request of a method meets a fault. */
async function faulty(method: Method, action: FaultAction) {
  const toy = await startToyServer()
  toy.instance.faults.set([{ server: 'toy', method, when: { nth: 1 }, do: action }])
  return toy
}

/** Returns the answer to one line on a pipe. */
async function lineFor({ input, output }: ToyPipe, message: unknown): Promise<string> {
  input.write(`${JSON.stringify(message)}\n`)
  return String(await new Promise<Buffer>(resolve => output.once('data', resolve)))
}

const REFUSED = { rpcError: { code: -32050, message: 'not now', data: { retry: 7 } } }
const REFUSAL = { jsonrpc: '2.0', id: 1, error: { code: -32050, message: 'not now', data: { retry: 7 } } }

describe('a fault of a method', () => {
  it('applies in both eras, on every transport', async () => {
    for (const message of [rpc('tools/list'), modernRpc('tools/list')]) {
      const over = await faulty('tools/list', REFUSED)
      const answer =
        '_meta' in Object(message.params) ? sendModern(over.url, message) : send(over.url, { body: message })
      expect((await answer).json).toEqual(REFUSAL)
      expect(over.instance.journal.entries()).toMatchObject([{ method: 'tools/list', outcome: 'fault' }])
      expect(over.instance.faults.list()).toMatchObject([{ method: 'tools/list', hits: 1 }])
      const onPipe = await faulty('tools/list', REFUSED)
      expect(JSON.parse(await lineFor(onPipe.pipe(), message))).toEqual(REFUSAL)
    }
    const inMemory = await faulty('tools/list', REFUSED)
    await expect((await inMemory.connect()).listTools()).rejects.toMatchObject({
      code: -32050,
      data: { retry: 7 },
    })
  })

  it('answers server/discover with 401', async () => {
    const { url } = await faulty('server/discover', { httpStatus: 401, body: 'who?' })
    const { status, body } = await sendModern(url, modernRpc('server/discover'))
    expect([status, body]).toEqual([401, 'who?'])
    expect((await sendModern(url, modernRpc('server/discover'))).status).toBe(200)
  })

  it('prevents initialize from opening a session, or corrupts its answer', async () => {
    const refused = await faulty('initialize', { httpStatus: 500 })
    const answer = await send(refused.url, { body: initialize() })
    expect([answer.status, answer.headers['mcp-session-id'], refused.endpoint.sessions]).toEqual([
      500,
      undefined,
      0,
    ])
    const spoilt = await faulty('initialize', { malformed: 'json' })
    const { headers, json } = await send(spoilt.url, { body: initialize() })
    expect([json, typeof headers['mcp-session-id'], spoilt.endpoint.sessions]).toEqual([
      undefined,
      'string',
      1,
    ])
  })

  it('applies to ping and to subscriptions/listen', async () => {
    const pinged = await faulty('ping', REFUSED)
    expect((await send(pinged.url, { body: rpc('ping') })).json).toEqual(REFUSAL)
    const listening = await faulty('subscriptions/listen', REFUSED)
    const body = modernRpc('subscriptions/listen', { notifications: {} })
    expect((await sendModern(listening.url, body)).json).toEqual(REFUSAL)
  })

  it('of every method counts each request', async () => {
    const toy = await startToyServer()
    toy.instance.faults.set([{ server: 'toy', method: '*', when: { nth: 3 }, do: REFUSED }])
    const messages = [
      rpc('ping'),
      rpc('tools/list'),
      rpc('tools/call', { name: 'echo', arguments: { text: 'x' } }),
    ]
    const answers = []
    for (const body of messages) answers.push((await send(toy.url, { body })).json)
    expect(answers).toMatchObject([{ result: {} }, { result: {} }, REFUSAL])
  })

  it('does not count a request that is refused for its headers', async () => {
    const toy = await faulty('tools/list', REFUSED)
    await sendModern(toy.url, modernRpc('tools/list'), { 'Mcp-Method': '' })
    expect(toy.instance.faults.list()).toMatchObject([{ hits: 0 }])
  })
})

describe('a fault of a modern call', () => {
  const withTool = async (action: FaultAction) => {
    const toy = await startToyServer()
    toy.instance.faults.set([{ server: 'toy', tool: 'echo', when: { nth: 1 }, do: action }])
    return toy
  }

  it('that is a tool error is a complete result', async () => {
    const { url } = await withTool({ toolError: 'no disk' })
    expect((await sendModern(url, modernCall('echo', { text: 'x' }))).json).toEqual({
      jsonrpc: '2.0',
      id: 1,
      result: {
        resultType: 'complete',
        content: [{ type: 'text', text: 'no disk' }],
        isError: true,
        _meta: { 'io.modelcontextprotocol/serverInfo': { name: 'toy', version: '1' } },
      },
    })
  })

  it.each([140, 4000])('has exactly %i bytes', async bytes => {
    const { url } = await withTool({ bytes })
    const { body, json } = await sendModern(url, modernCall('echo', { text: 'x'.repeat(200) }))
    expect([Buffer.byteLength(body), json]).toMatchObject([bytes, { result: { resultType: 'complete' } }])
  })
})

describe('a raw answer', () => {
  const BODY = '{"jsonrpc":"2.0","id":{{id}},  "result":{"é":1}}'
  const filled = (id: string) => BODY.replace('{{id}}', id)

  it('is sent unchanged over HTTP, in both eras', async () => {
    const raw = { status: 418, headers: { 'content-type': 'application/x-odd', 'X-Odd': 'yes' }, body: BODY }
    const legacy = await faulty('tools/call', { raw })
    const body = rpc('tools/call', { name: 'echo', _meta: { progressToken: 'p' } }, 'one')
    const answer = await send(legacy.url, { body })
    const { 'content-type': type, 'x-odd': odd, 'content-length': length } = answer.headers
    const bytes = String(Buffer.byteLength(filled('"one"')))
    expect([answer.status, type, odd, length, answer.body]).toEqual([
      418,
      'application/x-odd',
      'yes',
      bytes,
      filled('"one"'),
    ])
    const modern = await faulty('server/discover', { raw: { body: BODY } })
    const plain = await sendModern(modern.url, modernRpc('server/discover', {}, 7))
    expect([plain.status, plain.headers['content-type'], plain.body]).toEqual([
      200,
      'application/json',
      filled('7'),
    ])
    expect(modern.instance.journal.entries()).toMatchObject([{ outcome: 'fault' }])
  })

  it('is sent unchanged on a pipe, without a status and headers', async () => {
    const toy = await faulty('tools/list', { raw: { body: BODY } })
    expect(await lineFor(toy.pipe(), modernRpc('tools/list', {}, 7))).toBe(`${filled('7')}\n`)
    const settled = await faulty('tools/list', { raw: { status: 401, body: BODY } })
    const message = 'a raw fault with status or headers works only over HTTP: leave both out'
    expect(JSON.parse(await lineFor(settled.pipe(), rpc('tools/list', {}, 7)))).toEqual({
      jsonrpc: '2.0',
      id: 7,
      error: { code: -32000, message },
    })
  })

  it('is parsed in memory as its client would parse it', async () => {
    const result = '{"jsonrpc":"2.0","id":{{id}},"result":{"tools":[]}}'
    const good = await faulty('tools/list', { raw: { body: result } })
    expect((await (await good.connect()).listTools()).tools).toEqual([])
    const bad = await faulty('tools/list', { raw: { body: '{' } })
    await expect((await bad.connect()).listTools()).rejects.toMatchObject({ code: -32700 })
  })

  it('hides a revision', async () => {
    const body =
      '{"jsonrpc":"2.0","id":{{id}},"result":{"resultType":"complete","supportedVersions":["2025-11-25"],"capabilities":{},"ttlMs":0,"cacheScope":"private"}}'
    const { url } = await faulty('server/discover', { raw: { body } })
    const { json } = await sendModern(url, modernRpc('server/discover'))
    expect(json).toMatchObject({ result: { supportedVersions: ['2025-11-25'] } })
  })
})

describe('a fault is refused', () => {
  const always = { always: true as const }
  it.each([
    [{ method: 'tool/list', do: { hang: true } }, /method is "tool\/list".*"tools\/list" is probably meant/],
    [
      { method: 'ping', tool: 'echo', do: { hang: true } },
      /^faults\[0\] names a tool and a method: name only one of them/,
    ],
    [{ do: { hang: true } }, /^faults\[0\] names neither a tool nor a method/],
    [
      { method: 'ping', do: { toolError: 'x' } },
      /toolError is an answer to tools\/call, not to ping: use rpcError/,
    ],
    [{ method: '*', do: { bytes: 200 } }, /bytes pads an answer to tools\/call, not to \*: use raw/],
    [{ method: 'ping', do: { raw: { status: 199, body: '' } } }, /raw\.status is 199/],
    [{ method: 'ping', do: { raw: { status: 600, body: '' } } }, /raw\.status is 600/],
    [
      { method: 'ping', do: { raw: { headers: { 'X-A': 'a\r\nb' }, body: '' } } },
      /"a\\r\\nb".*no line break/,
    ],
    [{ method: 'ping', do: { raw: { headers: { 'X A': 'a' }, body: '' } } }, /X A/],
    [
      { method: 'ping', do: { raw: { body: 'x'.repeat(8 * 1024 * 1024 + 1) } } },
      /at most 8 MiB, and this one has 8388609 bytes/,
    ],
  ])('%#', async (fault, message) => {
    const { instance } = await startToyServer()
    const faults: unknown = [{ server: 'toy', when: always, ...fault }]
    expect(() => instance.faults.set(faults as Fault[])).toThrow(message)
    expect(instance.faults.list()).toEqual([])
  })

  it('also over the control plane', async () => {
    const { control } = await startUnderstudy()
    const put = (fault: object) =>
      send(`${control.url}/faults`, {
        method: 'PUT',
        body: { faults: [{ server: 'safebot', when: always, ...fault }] },
      })
    expect((await put({ method: 'server/discover', do: { raw: { status: 401, body: '' } } })).status).toBe(
      200,
    )
    expect((await put({ method: 'tools/lists', do: { hang: true } })).status).toBe(400)
    expect((await put({ method: 'ping', tool: '*', do: { hang: true } })).status).toBe(400)
  })
})

it('an overlay sets how long a modern client may keep the list, and the scope of the cache', async () => {
  const { safebot, catalogue } = await startUnderstudy()
  catalogue.set([
    { server: 'safebot', do: { ttlMs: 60_000 } },
    { server: 'safebot', do: { cacheScope: 'public' } },
  ])
  const { json } = await sendModern(safebot.mcpUrl, modernRpc('tools/list'))
  expect(json).toMatchObject({ result: { ttlMs: 60_000, cacheScope: 'public' } })
  const session = { 'mcp-session-id': await openSession(safebot.mcpUrl) }
  const legacy = await send(safebot.mcpUrl, { body: rpc('tools/list'), headers: session })
  expect(Object.keys(Object(legacy.json).result)).toEqual(['tools'])
  const other = await sendModern(
    safebot.mcpUrl,
    modernRpc('server/discover', {}, 1, { protocolVersion: MODERN }),
  )
  expect(other.json).toMatchObject({ result: { ttlMs: 0 } })
})
