import { ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js'
import { describe, expect, it } from 'vitest'
import type { Overlay } from '../../../servers/understudy/index.js'
import { HttpStream } from '../../support/clients/http-stream.js'
import { openSession, rpc, send } from '../../support/clients/raw-http.js'
import { createRoom } from '../../support/clients/room.js'
import { startToyServer } from '../../support/servers/toy-server.js'
import { call, ok, refused, startUnderstudy, textOf } from '../../support/servers/understudy.js'

const on = (tool: string, change: Overlay['do'], more: Partial<Overlay> = {}): Overlay => ({
  server: 'safebot',
  tool,
  do: change,
  ...more,
})

/** Safebot with an agent and a room. */
async function start() {
  const understudy = await startUnderstudy()
  const agent = await understudy.safebot.connect({ handle: 'alice' })
  return { ...understudy, agent, url: await createRoom(agent) }
}

it('without overlays the list has the original bytes, before and after', async () => {
  const { safebot, catalogue } = await startUnderstudy()
  const list = async () => (await send(safebot.mcpUrl, { body: rpc('tools/list') })).body
  const genuine = await list()
  catalogue.set([on('ack_task', { describe: 'other' }), on('room_status', { hide: true })])
  expect(await list()).not.toBe(genuine)
  catalogue.clear()
  expect(await list()).toBe(genuine)
})

describe('a tool under an overlay', () => {
  it('that was renamed is called by its new name, and not by its old one', async () => {
    const { agent, catalogue, url, journal } = await start()
    catalogue.set([on('room_status', { rename: 'room_stаtus' })])
    expect(await ok(agent, 'room_stаtus', { url })).toMatchObject({ exists: false })
    expect(await refused(agent, 'room_status', { url })).toMatch(
      /^Unknown tool: room_status\. This server has .*room_stаtus/,
    )
    expect(journal.entries({ tool: 'room_stаtus' })).toHaveLength(1)
  })

  it('that was renamed has the faults of its original name', async () => {
    const { agent, catalogue, faults, url } = await start()
    catalogue.set([on('room_status', { rename: 'status' })])
    faults.set([{ server: 'safebot', tool: 'room_status', when: { nth: 1 }, do: { toolError: 'down' } }])
    expect(await refused(agent, 'status', { url })).toBe('down')
    expect(() => faults.expectAllHit()).not.toThrow()
  })

  it('that was widened accepts the added arguments, and the journal has them', async () => {
    const { agent, catalogue, journal, url } = await start()
    expect(await refused(agent, 'room_status', { url, note: 'canary' })).toContain('unknown argument "note"')
    journal.clear()
    catalogue.set([on('room_status', { widen: { note: { type: 'string' } } })])
    await ok(agent, 'room_status', { url, note: 'canary' })
    expect(await refused(agent, 'room_status', { url, other: 1 })).toContain('unknown argument "other"')
    expect(journal.entries({ arguments: { note: 'canary' } })).toHaveLength(1)
  })

  it('that is hidden can be called by its name', async () => {
    const { agent, catalogue, url } = await start()
    catalogue.set([on('room_status', { hide: true })])
    expect((await agent.listTools()).tools.map(({ name }) => name)).not.toContain('room_status')
    await ok(agent, 'room_status', { url })
  })

  it('that was added answers with its text, with any arguments', async () => {
    const { agent, catalogue } = await start()
    const add = { name: 'export_room', description: 'Exports a room', answer: 'exported' }
    catalogue.set([{ server: 'safebot', do: { add } }])
    expect(await agent.listTools()).toMatchObject({ tools: { length: 9 } })
    expect(textOf(await call(agent, 'export_room', { anything: 1 }))).toBe('exported')
  })

  it('is changed only for the callers of the overlay, as the journal names them', async () => {
    const { agent, safebot, catalogue, url } = await start()
    catalogue.set([on('room_status', { rename: 'status' }, { callers: ['bob'] })])
    const bob = await safebot.connect({ handle: 'bob' })
    await ok(agent, 'room_status', { url })
    await ok(bob, 'status', { url })
    expect(await refused(bob, 'room_status', { url })).toContain('Unknown tool')
  })

  it('does not change the other server', async () => {
    const { catalogue, instanode } = await start()
    catalogue.set([on('room_status', { hide: true })])
    expect((await (await instanode.connect()).listTools()).tools).toHaveLength(6)
  })
})

describe('a list in pages', () => {
  it('is assembled by a client that follows the cursors, past an empty page', async () => {
    const { safebot, catalogue, agent } = await start()
    const genuine = (await agent.listTools()).tools
    catalogue.set([{ server: 'safebot', do: { page: [3, 0, 4] } }])
    const sizes: number[] = []
    const tools: unknown[] = []
    let cursor: string | undefined
    do {
      const params = cursor === undefined ? {} : { cursor }
      const { json } = await send(safebot.mcpUrl, { body: rpc('tools/list', params) })
      const { result } = Object(json)
      sizes.push(result.tools.length)
      tools.push(...result.tools)
      cursor = result.nextCursor
    } while (cursor !== undefined)
    expect([sizes, tools]).toEqual([[3, 0, 4, 1], genuine])
  })

  it('refuses a cursor that it did not return, and a cursor of a list that no longer has pages', async () => {
    const { safebot, catalogue } = await start()
    const ask = async (cursor: string) =>
      (await send(safebot.mcpUrl, { body: rpc('tools/list', { cursor }) })).json
    catalogue.set([{ server: 'safebot', do: { page: 3 } }])
    expect(await ask('page-2')).toMatchObject({ result: { tools: { length: 2 } } })
    expect(await ask('page-3')).toMatchObject({ error: { code: -32602 } })
    expect(await ask('')).toMatchObject({ error: { code: -32602 } })
    catalogue.clear()
    expect(await ask('page-2')).toMatchObject({ error: { code: -32602 } })
  })
})

describe('a change of the list', () => {
  const CHANGED = { jsonrpc: '2.0', method: 'notifications/tools/list_changed' }

  it('comes after the given number of lists, and is then announced to every open session', async () => {
    const toy = await startToyServer()
    const sessions = await Promise.all([openSession(toy.url), openSession(toy.url)])
    const streams = await Promise.all(
      sessions.map(session => HttpStream.open(toy.url, 'GET', { 'mcp-session-id': session })),
    )
    const { output } = toy.pipe()
    const client = await toy.connect()
    const told = new Promise(resolve =>
      client.setNotificationHandler(ToolListChangedNotificationSchema, resolve),
    )
    const hide: Overlay = { server: 'toy', tool: 'park', after: 2, notify: true, do: { hide: true } }
    toy.instance.catalogue.set([hide])
    for (const expected of [3, 3, 2]) expect((await client.listTools()).tools).toHaveLength(expected)
    await told
    for (const stream of streams) {
      await stream.has('list_changed')
      stream.drop()
    }
    await new Promise(setImmediate)
    expect(JSON.parse(String(output.read()))).toEqual(CHANGED)
  })

  it('is not announced by default', async () => {
    const toy = await startToyServer()
    const { output } = toy.pipe()
    toy.instance.catalogue.set([{ server: 'toy', tool: 'park', do: { hide: true } }])
    await new Promise(setImmediate)
    expect(output.read()).toBeNull()
  })

  // fidelity safebot/mcp, differs: `initialize` says whether the list of tools may change. Here: It always
  // says that it may, because an overlay may be set at any time.
  it('is declared as a capability to every session', async () => {
    const { agent } = await start()
    expect(agent.getServerCapabilities()).toEqual({ tools: { listChanged: true } })
  })
})
