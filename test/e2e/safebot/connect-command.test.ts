import { readdir } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { Command } from '../../support/clients/command.js'
import { rpc, send } from '../../support/clients/raw-http.js'
import { claimNow, createRoom, say } from '../../support/clients/room.js'
import { DEAD_BASE } from '../../support/servers/fake-service.js'
import { stdioAgent, temporaryFolder } from '../../support/servers/remote.js'
import { ok, startUnderstudy } from '../../support/servers/understudy.js'
import { until } from '../../support/until.js'

describe('understudy safebot --connect', () => {
  it.each([
    ['localhost:4802', 'use the base URL of the service'],
    ['ftp://127.0.0.1', 'use the base URL of the service'],
    ['http://me:secret@127.0.0.1', 'use the base URL of the service'],
    ['', 'use the base URL of the service'],
    ['http://127.0.0.1:4802/mcp', 'leave the path out: http://127.0.0.1:4802'],
    ['http://127.0.0.1:4802/api/', 'leave the path out: http://127.0.0.1:4802'],
  ])('%s is refused in one sentence', async (base, why) => {
    const { code, stdout, stderr } = await new Command(['safebot', '--connect', base]).exit
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toContain(`understudy: --connect is ${JSON.stringify(base)}: ${why}`)
    expect(stderr.trim().split('\n')).toHaveLength(1)
  })

  it('accepts a base with a trailing slash', async () => {
    const { safebot } = await startUnderstudy()
    const home = await temporaryFolder()
    const { client } = await stdioAgent(safebot.apiUrl, { home, args: ['--connect', `${safebot.apiUrl}/`] })
    expect(await createRoom(client)).toMatch(new RegExp(`^${safebot.apiUrl}/room/`))
  })

  it('starts although nothing listens there yet', async () => {
    const base = DEAD_BASE
    const { client } = await stdioAgent(base, { home: await temporaryFolder() })
    expect((await client.listTools()).tools).toHaveLength(8)
  })

  // fidelity safebot/mcp, differs: Each process keeps its identity in the home folder. Here: Agents over HTTP
  // have keys that end with the process, because one process serves many agents.
  it('serves over HTTP with --http, with keys that are not stored', async () => {
    const { safebot, clock } = await startUnderstudy()
    const home = await temporaryFolder()
    const command = new Command(['safebot', '--connect', safebot.apiUrl, '--http', '0'], { HOME: home })
    const [mcpUrl = ''] = await command.lines(1)
    const headers = { 'x-safebot-handle': 'far' }
    const tool = (name: string, args: object) =>
      send(mcpUrl, { headers, body: rpc('tools/call', { name, arguments: args }) })
    const url = /http\S+#k=[\w-]+/.exec((await tool('create_room', {})).body)?.[0] ?? ''
    const local = await safebot.connect({ handle: 'local' })
    const claiming = tool('claim_task', { url })
    await clock.whenPending(1)
    await say(local, url, 'hello')
    expect((await claiming).body).toContain('local: hello')
    expect(await readdir(home)).toEqual([])
    // It has no rooms of its own that an HTTP API could be about.
    expect((await send(mcpUrl.replace('/mcp', '/api/health'), { method: 'GET' })).status).toBe(404)
    command.process.kill('SIGTERM')
    expect((await command.exit).code).toBe(0)
  })

  // fidelity safebot/mcp, differs: The end of stdin does not end a process that has been in a room. Here: It
  // does, and the agent leaves the room, so that no process is left behind.
  it('ends when stdin ends, and leaves the room', async () => {
    const { safebot } = await startUnderstudy()
    const command = new Command(['safebot', '--connect', safebot.apiUrl], { HOME: await temporaryFolder() })
    const local = await safebot.connect({ handle: 'local' })
    const url = await createRoom(local)
    command.say(rpc('tools/call', { name: 'send_message', arguments: { url, text: 'hi' } }))
    await command.lines(1)
    command.process.stdin.end()
    const { code, stderr } = await command.exit
    expect([code, stderr]).toEqual([0, ''])
    await until(async () =>
      JSON.stringify(await ok(local, 'room_status', { url })).includes('"participants":0'),
    )
  })

  it('has no effect on understudy up', async () => {
    const { code, stderr } = await new Command(['up', '--connect', 'http://127.0.0.1:1']).exit
    expect([code, stderr]).toEqual([2, expect.stringContaining('up has no option --connect')])
  })
})

describe('a host config that was written for the real client', () => {
  // fidelity safebot/mcp, same: `SAFEBOT_MCP_ROOM_NAME` is the sender that others see.
  // fidelity safebot/mcp, same: `SAFEBOT_BASE` names the service, if it is plain http.
  it('reaches other agents at the stand-in that SAFEBOT_BASE names', async () => {
    const { safebot } = await startUnderstudy()
    const env = {
      SAFEBOT_BASE: `${safebot.apiUrl}/`,
      SAFEBOT_MCP_HANDLE: 'alice',
      SAFEBOT_MCP_ROOM_NAME: 'Al',
    }
    const { client } = await stdioAgent(safebot.apiUrl, { home: await temporaryFolder(), env, args: [] })
    const local = await safebot.connect({ handle: 'local' })
    const url = await createRoom(client)
    await say(client, url, 'hello')
    expect(await ok(local, 'claim_task', { url })).toMatchObject({ task: { text: 'hello', sender: 'Al' } })
    await say(local, url, 'welcome')
    expect((await claimNow(client, url)).text).toBe('welcome')
  })

  // fidelity safebot/mcp, differs: An https `SAFEBOT_BASE` names the service too. Here: The stand-in answers
  // in its place unless `--connect` names it, so that a test never reaches a public service.
  it('does not reach a public service that SAFEBOT_BASE names', async () => {
    const env = { SAFEBOT_BASE: 'https://safebot.invalid' }
    const home = await temporaryFolder()
    const { client } = await stdioAgent('', { home, env, args: [] })
    const url = await createRoom(client)
    expect(url).toMatch(/^https:\/\/safebot\.invalid\/room\//)
    await say(client, url, 'hello')
    expect(await readdir(home)).toEqual([])
  })

  it('with an invalid SAFEBOT_BASE is refused in one sentence', async () => {
    const { code, stderr } = await new Command(['safebot'], { SAFEBOT_BASE: 'safebot' }).exit
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining('SAFEBOT_BASE is "safebot": use the base URL of'),
    ])
  })

  // fidelity safebot/mcp, same: `SAFEBOT_MCP_ALLOWED_BASES` adds origins to the allowlist.
  it('reaches the origins of SAFEBOT_MCP_ALLOWED_BASES, and no others', async () => {
    const { safebot } = await startUnderstudy()
    const env = { SAFEBOT_MCP_ALLOWED_BASES: 'https://one.invalid,nonsense,https://two.invalid/path' }
    const { client } = await stdioAgent(safebot.apiUrl, { home: await temporaryFolder(), env, args: [] })
    for (const base of ['https://one.invalid', 'https://two.invalid']) {
      expect(await ok(client, 'create_room', { base })).toMatchObject({ url: expect.stringContaining(base) })
    }
    await expect(ok(client, 'create_room', { base: 'https://three.invalid' })).rejects.toThrow(
      'not in allowlist',
    )
  })
})
