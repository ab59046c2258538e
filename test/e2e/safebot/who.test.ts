import { expect, it } from 'vitest'
import { openSession, rpc, send } from '../../support/clients/raw-http.js'
import { startUnderstudy } from '../../support/servers/understudy.js'

const create = rpc('tools/call', { name: 'create_room', arguments: {} })

it('a caller is identified by header, by ?handle=, by its session, or as mcp-local', async () => {
  const { safebot, journal } = await startUnderstudy()
  const url = safebot.mcpUrl
  const session = { 'mcp-session-id': await openSession(url) }
  journal.entries()
  await send(url, { body: create, headers: { 'x-safebot-handle': 'Alice' } })
  await send(`${url}?handle=@bob`, { body: create })
  await send(url, { body: create, headers: session })
  await send(url, { body: create, headers: session })
  await send(url, { body: create, headers: { ...session, 'x-safebot-handle': 'carol' } })
  await send(url, { body: create })
  const callers = journal.entries({ tool: 'create_room' }).map(({ caller }) => caller)
  expect(callers).toEqual([
    'alice',
    'bob',
    expect.stringMatching(/^mcp-[0-9a-f]{6}$/),
    callers[2],
    'carol',
    'mcp-local',
  ])
})

// fidelity safebot/mcp, differs: An agent is its process. Here: An agent is its MCP session, or its handle
// without a session, because one process serves many agents over HTTP.
it('callers without a session keep label and active room by their handle', async () => {
  const { safebot } = await startUnderstudy()
  const headers = { 'x-safebot-handle': 'alice' }
  const tool = (name: string, args: object) => rpc('tools/call', { name, arguments: args })
  const made = await send(safebot.mcpUrl, { headers, body: create })
  const url = /http\S+#k=[\w-]+/.exec(made.body)?.[0]
  await send(safebot.mcpUrl, { headers, body: tool('send_message', { url, text: 'a', name: 'Al' }) })
  const again = await send(safebot.mcpUrl, { headers, body: tool('send_message', { url, text: 'b' }) })
  expect(again.body).toContain('sent as \\"Al\\"')
})
