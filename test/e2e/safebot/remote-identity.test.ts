import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Keyring, openIdentity } from '../../../servers/safebot/client/keyring.js'
import { IdSource } from '../../../shared/ids.js'
import { claim, createRoom, say } from '../../support/clients/room.js'
import { registeredAgent } from '../../support/clients/safebot-agent.js'
import { fakeService, roomAt } from '../../support/servers/fake-service.js'
import { remoteSafebot, stdioAgent, temporaryFolder } from '../../support/servers/remote.js'
import { call, ok, refused, startUnderstudy, textOf } from '../../support/servers/understudy.js'
import { until } from '../../support/until.js'

const KEY = 'mcp_identity.key'
const HANDLE = 'mcp_identity.json'

/** A running stand-in, and a home in which no identity is kept yet. */
async function atHome() {
  const { safebot, clock } = await startUnderstudy()
  const home = await temporaryFolder()
  const agent = async (env: Record<string, string> = {}) =>
    (await stdioAgent(safebot.apiUrl, { home, env })).client
  return { safebot, clock, home, agent, folder: join(home, '.config/safebot') }
}

describe('the identity of a connected stdio agent', () => {
  // fidelity safebot/mcp, same: `send_message` needs an identity. `create_room` and `room_status` do not.
  // fidelity safebot/mcp, same: The identity is in `~/.config/safebot`: 64 bytes in `mcp_identity.key`, and
  // the handle in `mcp_identity.json`. Files have mode 0600, the folder 0700.
  it('is created at first use, and only its user can read it', async () => {
    const { home, folder, agent } = await atHome()
    const client = await agent({ SAFEBOT_MCP_HANDLE: 'Alice' })
    await client.listTools()
    const url = await createRoom(client)
    await ok(client, 'room_status', { url })
    expect(await readdir(home)).toEqual([])

    await say(client, url, 'hello')
    expect((await readdir(folder)).sort()).toEqual([HANDLE, KEY])
    const mode = async (path: string) => (await stat(path)).mode & 0o777
    expect(await mode(folder)).toBe(0o700)
    expect([await mode(join(folder, KEY)), await mode(join(folder, HANDLE))]).toEqual([0o600, 0o600])
    expect(await readFile(join(folder, KEY))).toHaveLength(64)
    expect(JSON.parse(await readFile(join(folder, HANDLE), 'utf8'))).toEqual({
      handle: 'alice',
      created: expect.any(Number),
    })
  })

  // fidelity safebot/mcp, same: `SAFEBOT_MCP_HANDLE` does not rename a kept identity.
  it('is the same after a restart with another SAFEBOT_MCP_HANDLE', async () => {
    const { agent, clock } = await atHome()
    const first = await agent({ SAFEBOT_MCP_HANDLE: 'alice' })
    const url = await createRoom(first)
    await say(first, url, 'mine')
    const again = await agent({ SAFEBOT_MCP_HANDLE: 'bob' })
    const claiming = call(again, 'claim_task', { url, timeout_seconds: 1 })
    await clock.whenPending(1)
    await clock.advance(1_000)
    expect(textOf(await claiming)).toContain('blocked 1s as "alice" via auth @alice')
  })

  // fidelity safebot/mcp, same: Without `SAFEBOT_MCP_HANDLE` the handle is `mcp-` and six hex digits.
  it('has a generated handle without SAFEBOT_MCP_HANDLE', async () => {
    const { agent, folder } = await atHome()
    const client = await agent()
    await say(client, await createRoom(client), 'hello')
    expect(JSON.parse(await readFile(join(folder, HANDLE), 'utf8'))).toMatchObject({
      handle: expect.stringMatching(/^mcp-[0-9a-f]{6}$/),
    })
  })

  it('without a file is the same again with the same seed, and differs for each handle', () => {
    const keys = (seed: string, handle: string) => new Keyring(new IdSource(seed)).keysOf(handle).signPub
    expect(keys('a', 'alice')).toBe(keys('a', 'alice'))
    expect(new Set([keys('a', 'alice'), keys('b', 'alice'), keys('a', 'bob')]).size).toBe(3)
  })

  // fidelity safebot/mcp, differs: Nothing is published about processes that start at the same time. Here:
  // They end with one identity, so that they share one handle.
  it('is the same for many processes that need it at the same time', async () => {
    const folder = join(await temporaryFolder(), 'a/b')
    const open = (handle: string) => openIdentity({ folder, ids: new IdSource(), now: () => 0 }, handle)
    const opened = await Promise.all(Array.from({ length: 20 }, (_, index) => open(`agent-${index}`)))
    expect(new Set(opened.map(({ handle, signPub, boxPub }) => `${handle} ${signPub} ${boxPub}`)).size).toBe(
      1,
    )
    expect((await readdir(folder)).sort()).toEqual([HANDLE, KEY])
  })

  it('of an incomplete registration is completed under its handle', async () => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, HANDLE), '{"handle":"half-done"}')
    const keys = await openIdentity({ folder, ids: new IdSource(), now: () => 0 }, 'other')
    expect(keys.handle).toBe('half-done')
    expect(await readFile(join(folder, KEY))).toHaveLength(64)
  })

  // fidelity safebot/mcp, differs: Nothing is published about a damaged identity file. Here: The file stays
  // as it is, and the error names the remedy, so that no key is lost.
  it.each([
    [KEY, 'too short', 'it has 9 bytes instead of 64'],
    [HANDLE, '{"handle":', 'it is not JSON with a valid "handle"'],
    [HANDLE, '{"handle":"not a handle"}', 'it is not JSON with a valid "handle"'],
  ])('with a damaged %s is not changed, and the tool gives the remedy (%s)', async (name, content, why) => {
    const { agent, folder } = await atHome()
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, HANDLE), '{"handle":"alice"}')
    await writeFile(join(folder, name), content)
    const client = await agent()
    const url = await createRoom(client)
    expect(await refused(client, 'send_message', { url, text: 'hi' })).toBe(
      `send_message failed: the identity file ${join(folder, name)} is damaged: ${why}: restore it from a backup, or move ` +
        'mcp_identity.json and mcp_identity.key away to get a new identity',
    )
    expect(await readFile(join(folder, name), 'utf8')).toBe(content)
    expect(await ok(client, 'room_status', { url })).toMatchObject({ exists: false })
  })

  it('that cannot be stored causes an error with its path, and is tried again', async () => {
    const { agent, home } = await atHome()
    await writeFile(join(home, '.config'), 'in the way')
    const client = await agent()
    const url = await createRoom(client)
    expect(await refused(client, 'claim_task', { url, timeout_seconds: 1 })).toMatch(
      /^claim_task failed: the identity in .*safebot cannot be read or created \(ENOTDIR.*\): set HOME to a folder/,
    )
  })
})

describe('a handle', () => {
  // fidelity safebot/mcp, same: An agent with the handle of another owner can send. Its claims get 401.
  it('of another owner can send, and cannot claim', async () => {
    const { safebot, clock } = await startUnderstudy()
    await registeredAgent(safebot.apiUrl, 'alice', () => clock.now())
    const { safebot: remote, warnings } = await remoteSafebot(safebot.apiUrl)
    const impostor = await remote.connect({ handle: 'alice' })
    const url = await createRoom(impostor)
    await say(impostor, url, 'hello')
    expect(await refused(impostor, 'claim_task', { url })).toMatch(
      /^claim_task failed: claim failed: 401 \{"error":"bad or missing signature"\} — the handle belongs to another key/,
    )
    expect(warnings).toEqual([])
  })

  // fidelity safebot/mcp, same: An agent with a reserved handle can send. Its claims get 404.
  it('that is reserved can send, and cannot claim', async () => {
    const { safebot } = await startUnderstudy()
    const { safebot: remote } = await remoteSafebot(safebot.apiUrl)
    const echo = await remote.connect({ handle: 'echo' })
    const url = await createRoom(echo)
    await say(echo, url, 'hello')
    expect(await refused(echo, 'claim_task', { url })).toMatch(
      /^claim_task failed: claim failed: 404 \{"error":"no such handle"\} — the service does not know this handle/,
    )
  })

  // fidelity safebot/mcp, same: A handle is registered once.
  it('is registered once', async () => {
    const { safebot, journal } = await startUnderstudy()
    const { safebot: remote } = await remoteSafebot(safebot.apiUrl)
    const [boss, worker] = [
      await remote.connect({ handle: 'boss' }),
      await remote.connect({ handle: 'worker' }),
    ]
    const url = await createRoom(boss)
    for (const text of ['one', 'two', 'three']) await say(boss, url, text)
    for (let count = 0; count < 3; count++) await ok(worker, 'next_task', { url })
    expect(
      await claim(worker, await createRoom(worker).then(room => say(boss, room, 'x').then(() => room))),
    ).toBeDefined()
    const registrations = journal
      .entries()
      .filter(({ method, outcome }) => method?.includes('register') && outcome === 'ok')
    expect(registrations.map(({ caller }) => caller).sort()).toEqual(['boss', 'worker'])
  })

  // fidelity safebot/mcp, same: A failed registration is a warning, and the message is sent.
  it('that could not be registered gives a warning, and is registered when needed', async () => {
    let refusing = true
    const { safebot: service } = await startUnderstudy()
    const base = await fakeService((request, response) => {
      if (!refusing) response.writeHead(307, { Location: `${service.apiUrl}${request.url}` }).end()
      else if (request.url?.includes('register')) response.writeHead(500).end('{"error":"disk full"}')
      else response.end('{"ok":true,"id":"c01f7112-0c43-41fa-a6c6-6da2ee14b8db","seq":1}')
    })
    const { safebot, warnings } = await remoteSafebot(base)
    const agent = await safebot.connect({ handle: 'alice' })
    await ok(agent, 'send_message', { url: roomAt(base), text: 'hi' })
    await until(() => warnings.length > 0)
    expect(warnings[0]).toBe(`cannot register @alice at ${base}: disk full: try again later`)
    refusing = false
    await refused(agent, 'claim_task', { url: roomAt(base) })
    expect(warnings.at(-1)).toContain('answered with a redirect')
  })
})
