import { Agent, request as httpRequest } from 'node:http'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  MODERN,
  mirrored,
  modernCall,
  modernMeta,
  modernRpc,
  sendModern,
} from '../../support/clients/modern.js'
import { BOTH, initialize, openSession, rpc, send } from '../../support/clients/raw-http.js'
import { startToyServer } from '../../support/servers/toy-server.js'
import { startUnderstudy } from '../../support/servers/understudy.js'

const INFO = { 'io.modelcontextprotocol/serverInfo': { name: 'toy', version: '1' } }
const echoed = (text: string) => ({ content: [{ type: 'text', text }], structuredContent: { text } })

/** Sends bodies over one connection, one after another. */
function overOneConnection(url: string) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  onTestFinished(() => agent.destroy())
  const reused: boolean[] = []
  const ask = (body: Record<string, unknown>, headers: Record<string, string> = {}) =>
    new Promise<[number | undefined, unknown]>((resolve, reject) => {
      const all = { 'content-type': 'application/json', accept: BOTH, ...headers }
      const request = httpRequest(url, { method: 'POST', agent, headers: all }, response => {
        let text = ''
        response.on('data', (chunk: Buffer) => {
          text += chunk.toString('utf8')
        })
        response.on('end', () => {
          reused.push(request.reusedSocket)
          resolve([response.statusCode, text === '' ? '' : JSON.parse(text)])
        })
      })
      request.on('error', reject)
      request.end(JSON.stringify(body))
    })
  return { ask, reused }
}

describe('one connection', () => {
  it('accepts modern and legacy requests in turn, and refused ones between them', async () => {
    const { url } = await startToyServer()
    const session = { 'mcp-session-id': await openSession(url) }
    const { ask, reused } = overOneConnection(url)
    const modern = modernCall('echo', { text: 'modern' }, 1)
    expect(await ask(modern, mirrored(modern))).toEqual([
      200,
      { jsonrpc: '2.0', id: 1, result: { resultType: 'complete', ...echoed('modern'), _meta: INFO } },
    ])
    expect(await ask(rpc('tools/call', { name: 'echo', arguments: { text: 'legacy' } }, 2), session)).toEqual(
      [200, { jsonrpc: '2.0', id: 2, result: echoed('legacy') }],
    )
    expect(await ask(modernRpc('initialize', {}, 3), mirrored(modernRpc('initialize')))).toEqual([
      404,
      { jsonrpc: '2.0', id: 3, error: { code: -32601, message: 'Method not found: initialize' } },
    ])
    expect(await ask(rpc('ping', undefined, 4), session)).toEqual([
      200,
      { jsonrpc: '2.0', id: 4, result: {} },
    ])
    const notice = { jsonrpc: '2.0', method: 'notifications/whatever' }
    expect(await ask(notice, { 'mcp-protocol-version': MODERN })).toEqual([202, ''])
    const [status, answer] = await ask({ ...initialize(), id: 6 })
    expect([status, answer]).toMatchObject([200, { id: 6, result: { protocolVersion: '2025-11-25' } }])
    expect(reused).toEqual([false, true, true, true, true, true])
  })
})

describe('a modern request with a header of the legacy era', () => {
  it.each([
    ['Mcp-Session-Id', 'nobody'],
    ['Last-Event-ID', '7'],
  ])('%s gets the same answer as without it', async (name, value) => {
    const { safebot } = await startUnderstudy()
    const plain = await sendModern(safebot.mcpUrl, modernRpc('tools/list', {}, 7))
    const { status, headers, json } = await sendModern(safebot.mcpUrl, modernRpc('tools/list', {}, 7), {
      [name]: value,
    })
    expect([status, headers['mcp-session-id'], json]).toEqual([200, undefined, plain.json])
  })

  it('a GET with Last-Event-ID is refused like one without', async () => {
    const { safebot } = await startUnderstudy()
    const headers = { 'Last-Event-ID': '7', 'MCP-Protocol-Version': MODERN }
    const { status, json } = await send(safebot.mcpUrl, { method: 'GET', headers })
    const message = 'GET needs the Mcp-Session-Id header from the answer to initialize'
    expect([status, json]).toEqual([400, { jsonrpc: '2.0', error: { code: -32600, message } }])
  })
})

describe('one pipe', () => {
  it('refuses an invalid _meta with the exact reason, and continues', async () => {
    const { input, output } = (await startToyServer()).pipe()
    let text = ''
    output.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8')
    })
    const key = 'io.modelcontextprotocol/'
    const requests = [
      rpc('tools/list', { _meta: modernMeta({ protocolVersion: 20260728 }) }, 1),
      rpc('tools/list', { _meta: modernMeta({ clientCapabilities: [] }) }, 2),
      rpc('tools/list', { _meta: modernMeta({ protocolVersion: '1900-01-01' }) }, 3),
      rpc('ping', undefined, 4),
    ]
    for (const request of requests) input.write(`${JSON.stringify(request)}\n`)
    while (text.split('\n').length <= requests.length)
      await new Promise(resolve => output.once('data', resolve))
    const supported = [MODERN, '2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05', '2024-10-07']
    const refusal = (id: number, code: number, message: string, data?: object) => ({
      jsonrpc: '2.0',
      id,
      error: { code, message, ...(data && { data }) },
    })
    expect(
      text
        .trim()
        .split('\n')
        .map(line => JSON.parse(line)),
    ).toEqual([
      refusal(1, -32602, `params._meta["${key}protocolVersion"] is 20260728: send a text`),
      refusal(2, -32602, `params._meta["${key}clientCapabilities"] is []: send an object`),
      refusal(
        3,
        -32022,
        `Unsupported protocol version "1900-01-01": this server speaks ${supported.join(', ')}`,
        {
          supported,
          requested: '1900-01-01',
        },
      ),
      { jsonrpc: '2.0', id: 4, result: {} },
    ])
  })
})
