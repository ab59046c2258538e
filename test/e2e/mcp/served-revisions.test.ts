import { describe, expect, it } from 'vitest'
import { createUnderstudy } from '../../../servers/understudy/index.js'
import { Command } from '../../support/clients/command.js'
import { MODERN, modernRpc, sendModern } from '../../support/clients/modern.js'
import { initialize, rpc, send } from '../../support/clients/raw-http.js'
import { startUnderstudy } from '../../support/servers/understudy.js'

describe('servers of 2026-07-28 only', () => {
  const start = () => startUnderstudy({ protocol: MODERN })

  it('serve it, and list no other', async () => {
    const { safebot, instanode } = await start()
    for (const { mcpUrl } of [safebot, instanode]) {
      const { status, json } = await sendModern(mcpUrl, modernRpc('server/discover'))
      expect([status, json]).toMatchObject([200, { result: { supportedVersions: [MODERN] } }])
      expect((await sendModern(mcpUrl, modernRpc('tools/list'))).status).toBe(200)
    }
  })

  it('refuse initialize, and name what they serve', async () => {
    const { safebot, journal } = await start()
    const { status, json } = await send(safebot.mcpUrl, { body: initialize() })
    const message = `Unsupported protocol version "2025-11-25": this server speaks ${MODERN}`
    const data = { supported: [MODERN], requested: '2025-11-25' }
    expect([status, json]).toEqual([400, { jsonrpc: '2.0', id: 1, error: { code: -32022, message, data } }])
    expect(journal.entries()).toMatchObject([{ method: 'initialize', outcome: 'protocol_error' }])
  })

  it('refuse other legacy requests for their _meta', async () => {
    const { safebot } = await start()
    const { status, json } = await send(safebot.mcpUrl, { body: rpc('tools/list') })
    expect([status, json]).toMatchObject([400, { id: 1, error: { code: -32602 } }])
  })

  it.each(['GET', 'DELETE'])('have no %s', async method => {
    const { safebot } = await start()
    const { status, headers, json } = await send(safebot.mcpUrl, {
      method,
      headers: { 'mcp-session-id': 'x' },
    })
    const error = { code: -32600, message: `${method} is not allowed here: POST a message` }
    expect([status, headers.allow, json]).toEqual([405, 'POST', { jsonrpc: '2.0', error }])
  })

  it('can still be called in this process', async () => {
    const { safebot } = await start()
    const client = await safebot.connect({ handle: 'alice' })
    expect((await client.listTools()).tools).toHaveLength(8)
  })
})

describe('servers of 2025-11-25 only', () => {
  const start = () => startUnderstudy({ protocol: ['2025-11-25'] })

  it('refuse a modern request like a server that does not know the era', async () => {
    const { safebot, journal } = await start()
    const { status, json } = await sendModern(safebot.mcpUrl, modernRpc('server/discover'))
    const message = 'Unsupported protocol version "2026-07-28" (supported versions: 2025-11-25)'
    expect([status, json]).toEqual([400, { jsonrpc: '2.0', error: { code: -32000, message }, id: null }])
    expect(journal.entries()).toMatchObject([{ method: 'server/discover', protocol: MODERN }])
  })

  it('offer it to a client that asks for an earlier one', async () => {
    const { safebot } = await start()
    const { json } = await send(safebot.mcpUrl, { body: initialize('2025-03-26') })
    expect(json).toMatchObject({ result: { protocolVersion: '2025-11-25' } })
    const headers = { 'mcp-protocol-version': '2025-03-26' }
    expect((await send(safebot.mcpUrl, { body: rpc('ping'), headers })).status).toBe(400)
  })
})

it.each([
  ['2026-07-29', 'protocol names "2026-07-29": did you mean 2026-07-28?'],
  [[], 'protocol names no revision'],
])('the revision %j is refused before any server starts', async (protocol, message) => {
  await expect(createUnderstudy({ protocol })).rejects.toThrow(message)
})

describe('--protocol', () => {
  it('makes a command serve one revision', async () => {
    const command = new Command(['safebot', '--protocol', MODERN])
    command.say(initialize())
    command.say(modernRpc('tools/list', {}, 2))
    const [refused, listed] = (await command.lines(2)).map(line => JSON.parse(line))
    expect(refused).toMatchObject({ id: 1, error: { code: -32022 } })
    expect(listed).toMatchObject({ id: 2, result: { tools: { length: 8 } } })
  })

  it('refuses an unknown revision with exit code 2', async () => {
    const { code, stderr } = await new Command(['up', '--protocol', '2025-11-26']).exit
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining('--protocol names "2025-11-26": did you mean 2025-11-25?'),
    ])
  })
})
