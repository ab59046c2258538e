import {
  Client,
  StreamableHTTPClientTransport,
  type VersionNegotiationMode,
} from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { describe, expect, it, onTestFinished } from 'vitest'
import { COMMAND } from '../../support/clients/command.js'
import { MODERN } from '../../support/clients/modern.js'
import { startToyServer } from '../../support/servers/toy-server.js'
import { startUnderstudy } from '../../support/servers/understudy.js'

const MODES: [VersionNegotiationMode, string][] = [
  ['legacy', '2025-11-25'],
  ['auto', MODERN],
  [{ pin: MODERN }, MODERN],
]

/** The official client of generation 2, closed with the test. */
function clientIn(mode: VersionNegotiationMode): Client {
  const client = new Client({ name: 'official', version: '2' }, { versionNegotiation: { mode } })
  onTestFinished(() => client.close())
  return client
}

describe.each(MODES)('the official client in the mode %j', (mode, revision) => {
  async function connect() {
    const understudy = await startUnderstudy()
    const client = clientIn(mode)
    const requestInit = { headers: { 'X-Safebot-Handle': 'alice' } }
    await client.connect(
      new StreamableHTTPClientTransport(new URL(understudy.safebot.mcpUrl), { requestInit }),
    )
    return { ...understudy, client, journal: understudy.journal }
  }

  it('lists tools, calls one, and has an error, over HTTP', async () => {
    const { client, journal } = await connect()
    expect((await client.listTools()).tools).toHaveLength(8)
    const made = await client.callTool({ name: 'create_room', arguments: {} })
    expect(made.structuredContent).toMatchObject({ url: expect.stringContaining('/room/') })
    expect(await client.callTool({ name: 'room_status', arguments: { url: 'x' } })).toMatchObject({
      isError: true,
    })
    expect(journal.entries({ tool: 'create_room' })).toMatchObject([
      { caller: 'alice', protocol: revision, client: { name: 'official', version: '2' }, mismatch: [] },
    ])
  })

  it('lists tools, calls one, and has an error, on a pipe', async () => {
    const client = clientIn(mode)
    const args = [COMMAND, 'safebot', '--clock', 'manual']
    await client.connect(new StdioClientTransport({ command: process.execPath, args }))
    expect((await client.listTools()).tools).toHaveLength(8)
    const made = await client.callTool({ name: 'create_room', arguments: {} })
    expect(made.structuredContent).toMatchObject({ url: expect.stringContaining('/room/') })
    expect(await client.callTool({ name: 'room_status', arguments: { url: 'x' } })).toMatchObject({
      isError: true,
    })
  })

  it('cancels a call over HTTP', async () => {
    const toy = await startToyServer()
    const client = clientIn(mode)
    await client.connect(new StreamableHTTPClientTransport(new URL(toy.url)))
    const controller = new AbortController()
    const call = client.callTool({ name: 'park', arguments: { as: 'a' } }, { signal: controller.signal })
    const failed = expect(call).rejects.toThrow()
    await toy.happened('a parked')
    controller.abort('enough')
    await failed
    await toy.instance.journal.waitFor({ tool: 'park', outcome: 'aborted' })
  })
})

it('the official client is told of a change on its subscription', async () => {
  const toy = await startToyServer()
  const client = clientIn({ pin: MODERN })
  const told = new Promise<void>(resolve => {
    client.setNotificationHandler('notifications/tools/list_changed', () => resolve())
  })
  await client.connect(new StreamableHTTPClientTransport(new URL(toy.url)))
  const subscription = await client.listen({ toolsListChanged: true })
  toy.host.announceTools()
  await told
  await subscription.close()
})

it('the official client falls back to a legacy server, and gives up on one without its revision', async () => {
  const { safebot } = await startUnderstudy({ protocol: '2025-11-25' })
  const connect = (mode: VersionNegotiationMode) =>
    clientIn(mode).connect(new StreamableHTTPClientTransport(new URL(safebot.mcpUrl)))
  await connect('auto')
  await expect(connect({ pin: MODERN })).rejects.toThrow()
})
