import { describe, expect, it } from 'vitest'
import { MODERN, modernCall, modernMeta, modernRpc, sendModern } from '../../support/clients/modern.js'
import { rpc, send } from '../../support/clients/raw-http.js'
import { startUnderstudy } from '../../support/servers/understudy.js'

const SUPPORTED = [MODERN, '2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05', '2024-10-07']
const VERSION_KEY = 'io.modelcontextprotocol/protocolVersion'
const CAPABILITIES_KEY = 'io.modelcontextprotocol/clientCapabilities'
const MODERN_HEADER = { 'MCP-Protocol-Version': MODERN }

/** The exact answer of a refusal. */
const refusal = (code: number, message: string, data?: object) => ({
  jsonrpc: '2.0',
  id: 7,
  error: { code, message, ...(data && { data }) },
})

describe('_meta', () => {
  it.each([
    ['no params', undefined, `params._meta is missing: send ${VERSION_KEY} and ${CAPABILITIES_KEY}`],
    ['params that are a list', [], 'params is []: send an object'],
    ['no _meta', {}, `params._meta is missing: send ${VERSION_KEY} and ${CAPABILITIES_KEY}`],
    ['a _meta that is a text', { _meta: 'x' }, 'params._meta is "x": send an object'],
    ['a _meta that is null', { _meta: null }, 'params._meta is null: send an object'],
    ['an empty _meta', { _meta: {} }, `params._meta has no ${VERSION_KEY}: send a text`],
    [
      'a version that is a number',
      { _meta: modernMeta({ protocolVersion: 20260728 }) },
      `params._meta["${VERSION_KEY}"] is 20260728: send a text`,
    ],
    [
      'no capabilities',
      { _meta: modernMeta({ clientCapabilities: undefined }) },
      `params._meta has no ${CAPABILITIES_KEY}: send an object`,
    ],
    [
      'capabilities that are a list',
      { _meta: modernMeta({ clientCapabilities: [] }) },
      `params._meta["${CAPABILITIES_KEY}"] is []: send an object`,
    ],
    [
      'a client without a version',
      { _meta: modernMeta({ clientInfo: { name: 'x' } }) },
      'params._meta["io.modelcontextprotocol/clientInfo"] is {"name":"x"}: send an object with name and version',
    ],
    [
      'an unknown log level',
      { _meta: modernMeta({ logLevel: 'loud' }) },
      'params._meta["io.modelcontextprotocol/logLevel"] is "loud": send one of debug, info, notice, warning, error, critical, alert, emergency',
    ],
    [
      'a progress token that is a list',
      { _meta: modernMeta({ progressToken: [] }) },
      'params._meta["progressToken"] is []: send a text or an integer',
    ],
  ])('%s is refused with -32602 under the id of the request', async (_, params, message) => {
    const { safebot } = await startUnderstudy()
    const body = rpc('tools/list', params, 7)
    const { status, json } = await send(safebot.mcpUrl, {
      body,
      headers: { ...MODERN_HEADER, 'Mcp-Method': 'tools/list' },
    })
    expect([status, json]).toEqual([400, refusal(-32602, message)])
  })

  it.each(['1900-01-01', 'v999.0.0', '2027-01-01', '2025-11-25'])(
    'that names revision %s gets the list of supported revisions',
    async version => {
      const { safebot } = await startUnderstudy()
      const body = modernRpc('tools/list', {}, 7, { protocolVersion: version })
      const { status, json } = await sendModern(safebot.mcpUrl, body)
      const message = `Unsupported protocol version "${version}": this server speaks ${SUPPORTED.join(', ')}`
      expect([status, json]).toEqual([
        400,
        refusal(-32022, message, { supported: SUPPORTED, requested: version }),
      ])
    },
  )
})

describe('a header', () => {
  const call = modernCall('room_status', { url: 'x' }, 7)
  const encoded = (text: string) => `=?base64?${Buffer.from(text).toString('base64')}?=`

  it.each([
    [
      'MCP-Protocol-Version',
      '',
      'the header MCP-Protocol-Version is missing: send "2026-07-28", as in the body',
    ],
    [
      'MCP-Protocol-Version',
      '2025-11-25',
      'the header MCP-Protocol-Version is "2025-11-25", and the body says "2026-07-28"',
    ],
    ['Mcp-Method', '', 'the header Mcp-Method is missing: send "tools/call", as in the body'],
    ['Mcp-Method', 'TOOLS/CALL', 'the header Mcp-Method is "TOOLS/CALL", and the body says "tools/call"'],
    ['Mcp-Name', '', 'the header Mcp-Name is missing: send "room_status", as in the body'],
    ['Mcp-Name', 'ack_task', 'the header Mcp-Name is "ack_task", and the body says "room_status"'],
    ['Mcp-Name', encoded('ack_task'), 'the header Mcp-Name is "ack_task", and the body says "room_status"'],
    [
      'Mcp-Name',
      '=?base64?cm9vbV9zdGF0dX?=',
      'the header Mcp-Name is "=?base64?cm9vbV9zdGF0dX?=", which is not valid Base64',
    ],
    ['Mcp-Name', '=?base64?/w==?=', 'the header Mcp-Name is "=?base64?/w==?=", which is not valid Base64'],
    [
      'Mcp-Name',
      '=?BASE64?cm9vbV9zdGF0dXM=?=',
      'the header Mcp-Name is "=?BASE64?cm9vbV9zdGF0dXM=?=", and the body says "room_status"',
    ],
    [
      'Mcp-Method',
      encoded('tools/call'),
      'the header Mcp-Method is "=?base64?dG9vbHMvY2FsbA==?=", and the body says "tools/call"',
    ],
    [
      'Mcp-Name',
      'caf\u00e9',
      'the header Mcp-Name has characters other than visible ASCII: send it in Base64',
    ],
  ])('%s: %j is refused with -32020', async (name, value, message) => {
    const { safebot, journal } = await startUnderstudy()
    const { status, json } = await sendModern(safebot.mcpUrl, call, { [name]: value })
    expect([status, json]).toEqual([400, refusal(-32020, message)])
    expect(journal.entries()).toMatchObject([
      {
        method: 'tools/call',
        tool: 'room_status',
        arguments: { url: 'x' },
        raw: JSON.stringify(call),
        outcome: 'protocol_error',
        protocol: MODERN,
        mismatch: [name],
      },
    ])
  })

  it.each([
    ['plain', 'room_status'],
    ['padded', '  room_status  '],
    ['in Base64', encoded('room_status')],
  ])('Mcp-Name may be %s', async (_, value) => {
    const { safebot } = await startUnderstudy()
    const { status, json } = await sendModern(safebot.mcpUrl, call, { 'Mcp-Name': value })
    expect([status, json]).toMatchObject([200, { result: { isError: true } }])
  })

  it('Mcp-Name in the form of the sentinel is decoded before it is compared', async () => {
    const { safebot } = await startUnderstudy()
    const odd = modernCall('=?base64?x?=', {}, 7)
    const bare = await sendModern(safebot.mcpUrl, odd)
    expect([bare.status, bare.json]).toMatchObject([400, { error: { code: -32020 } }])
    const wrapped = await sendModern(safebot.mcpUrl, odd, { 'Mcp-Name': encoded('=?base64?x?=') })
    expect(wrapped.json).toMatchObject({ error: { code: -32602 } })
  })
})

describe('a header that repeats an argument', () => {
  const property = (schema: object, header = 'X') => ({ ...schema, 'x-mcp-header': header })
  const overlay = (widen: Record<string, Record<string, unknown>>) => [
    { server: 'safebot', tool: 'room_status', do: { widen } },
  ]
  const cases: [string, object, unknown, string, number][] = [
    ['the same text', { type: 'string' }, 'eu', 'eu', 200],
    ['another text', { type: 'string' }, 'eu', 'us', 400],
    ['no header', { type: 'string' }, 'eu', '', 400],
    ['neither', { type: 'string' }, undefined, '', 200],
    ['null and no header', { type: 'string' }, null, '', 200],
    ['null and a header', { type: 'string' }, null, 'eu', 400],
    ['a text in Base64', { type: 'string' }, 'größe', '=?base64?Z3LDtsOfZQ==?=', 200],
    ['an integer', { type: 'integer' }, 42, '42', 200],
    ['an integer as a decimal', { type: 'integer' }, 42, '42.0', 200],
    ['another integer', { type: 'integer' }, 42, '43', 400],
    ['a number in hexadecimal', { type: 'integer' }, 42, '0x2a', 400],
    ['a boolean', { type: 'boolean' }, true, 'true', 200],
    ['an object', { type: 'string' }, {}, '[object Object]', 400],
  ]

  it.each(cases)('%s', async (_, schema, value, header, expected) => {
    const { safebot, catalogue, journal } = await startUnderstudy()
    catalogue.set(overlay({ region: property(schema) }))
    const body = modernCall('room_status', { url: 'x', region: value })
    const { status } = await sendModern(safebot.mcpUrl, body, { 'Mcp-Param-X': header })
    expect(status).toBe(expected)
    expect(journal.entries()).toMatchObject([{ mismatch: expected === 200 ? [] : ['Mcp-Param-X'] }])
  })

  it('is found through nested properties', async () => {
    const { safebot, catalogue } = await startUnderstudy()
    catalogue.set(overlay({ at: { type: 'object', properties: { region: property({ type: 'string' }) } } }))
    const body = modernCall('room_status', { url: 'x', at: { region: 'eu' } }, 7)
    const { status, json } = await sendModern(safebot.mcpUrl, body)
    const message = 'the header Mcp-Param-X is missing: send "eu", as in the body'
    expect([status, json]).toEqual([400, refusal(-32020, message)])
  })
})

describe('a body', () => {
  it('is refused if it is a batch', async () => {
    const { safebot } = await startUnderstudy()
    const message = 'the body is a list: this protocol revision has one message in each POST'
    const answer = { jsonrpc: '2.0', error: { code: -32600, message } }
    for (const [body, headers] of [
      [[modernRpc('tools/list')], {}],
      [[rpc('tools/list')], MODERN_HEADER],
    ] as const) {
      const { status, json } = await send(safebot.mcpUrl, { body, headers })
      expect([status, json]).toEqual([400, answer])
    }
  })

  it('is refused without an id if it is not JSON', async () => {
    const { safebot, journal } = await startUnderstudy()
    const { status, json } = await send(safebot.mcpUrl, { body: '{', headers: MODERN_HEADER })
    const error = { code: -32700, message: 'Parse error: the body is not JSON' }
    expect([status, json]).toEqual([400, { jsonrpc: '2.0', error }])
    expect(journal.entries()).toMatchObject([{ method: 'POST /mcp', raw: '{', protocol: MODERN }])
  })

  it('is refused if it is a response', async () => {
    const { safebot } = await startUnderstudy()
    const body = { jsonrpc: '2.0', id: 7, result: {} }
    const { status, json } = await send(safebot.mcpUrl, { body, headers: MODERN_HEADER })
    const message = 'invalid request: not a JSON-RPC 2.0 request or notification'
    expect([status, json]).toEqual([400, refusal(-32600, message)])
  })

  it('of another content type is refused with its id, and is in the journal', async () => {
    const { safebot, journal } = await startUnderstudy()
    const body = modernCall('ack_task', { seq: 1 }, 7)
    const { status, json } = await sendModern(safebot.mcpUrl, body, { 'content-type': 'text/plain' })
    const message = 'Content-Type is "text/plain": send application/json'
    expect([status, json]).toEqual([415, refusal(-32600, message)])
    expect(journal.entries()).toMatchObject([
      { tool: 'ack_task', arguments: { seq: 1 }, method: 'tools/call' },
    ])
  })

  it('with an unknown key is refused', async () => {
    const { safebot } = await startUnderstudy()
    const { status, json } = await sendModern(safebot.mcpUrl, { ...modernRpc('tools/list', {}, 7), extra: 1 })
    expect([status, json]).toMatchObject([400, { id: 7, error: { code: -32600 } }])
  })
})

it.each(['initialize', 'ping', 'logging/setLevel', 'resources/subscribe', 'tools/burn'])(
  'the method %s gets 404',
  async method => {
    const { safebot } = await startUnderstudy()
    const { status, json } = await sendModern(safebot.mcpUrl, modernRpc(method, {}, 7))
    expect([status, json]).toEqual([404, refusal(-32601, `Method not found: ${method}`)])
  },
)

it.each(['GET', 'DELETE'])('%s without a session is refused as before', async method => {
  const { safebot } = await startUnderstudy()
  const { status, json } = await send(safebot.mcpUrl, { method })
  const message = `${method} needs the Mcp-Session-Id header from the answer to initialize`
  expect([status, json]).toEqual([400, { jsonrpc: '2.0', error: { code: -32000, message }, id: null }])
})

it('a legacy request refused for its version is recorded with its tool and body', async () => {
  const { safebot, journal } = await startUnderstudy()
  const body = rpc('tools/call', { name: 'ack_task', arguments: { seq: 1 } })
  const { status, json } = await send(safebot.mcpUrl, {
    body,
    headers: { 'mcp-protocol-version': '1999-01-01' },
  })
  const message = `Unsupported protocol version "1999-01-01" (supported versions: ${SUPPORTED.join(', ')})`
  expect([status, json]).toEqual([400, { jsonrpc: '2.0', error: { code: -32000, message }, id: null }])
  expect(journal.entries()).toMatchObject([
    {
      method: 'tools/call',
      tool: 'ack_task',
      arguments: { seq: 1 },
      raw: JSON.stringify(body),
      protocol: '1999-01-01',
    },
  ])
})

it('the journal cuts long names of clients and revisions', async () => {
  const { safebot, journal } = await startUnderstudy()
  const long = 'x'.repeat(10_000)
  const meta = { protocolVersion: long, clientInfo: { name: long, version: long } }
  await sendModern(safebot.mcpUrl, modernRpc('tools/list', {}, 7, meta))
  const kept = `${'x'.repeat(200)}…`
  expect(journal.entries()).toMatchObject([{ protocol: kept, client: { name: kept, version: kept } }])
})
