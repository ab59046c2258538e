import { describe, expect, onTestFinished, test } from 'vitest'
import { createUnderstudy, type Understudy } from '../../../servers/understudy/index.js'
import { SharedSessions } from '../../../shared/records/shared-sessions.js'
import { silentLog } from '../../../shared/util/log.js'
import { initialize, type RawAnswer, rpc, send } from '../../support/clients/raw-http.js'
import { RecordingDatabases } from '../../support/databases/recording-databases.js'
import { useStores } from '../../support/databases/store.js'
import { until } from '../../support/until.js'
import { layWire } from '../../support/wire.js'

const stores = useStores()

async function replica(store: string): Promise<Understudy> {
  const running = await createUnderstudy({ store, databases: new RecordingDatabases(), log: silentLog })
  onTestFinished(() => running.close())
  return running
}

async function two(url = stores.freshUrl()): Promise<[Understudy, Understudy]> {
  return [await replica(url), await replica(url)]
}

const SERVERS = ['instanode', 'safebot'] as const

type Session = { 'mcp-session-id': string }

/** Opens a session. @returns the header that names it */
async function open(mcpUrl: string): Promise<Session> {
  const { headers: given } = await send(mcpUrl, { body: initialize('2025-03-26') })
  return { 'mcp-session-id': String(given['mcp-session-id']) }
}

const ping = (mcpUrl: string, headers: Record<string, string>): Promise<RawAnswer> =>
  send(mcpUrl, { body: rpc('ping'), headers })

/** The handle that a session has by itself on a replica. */
async function handleOn({ safebot, journal, instance }: Understudy, session: Session): Promise<string> {
  await ping(safebot.mcpUrl, session)
  const where = { method: 'ping', session: session['mcp-session-id'], instance: instance.name }
  return journal.entries(where)[0]?.caller ?? ''
}

describe('a session over HTTP', () => {
  // fidelity replicas, same: An MCP session is good at each replica.
  test.each(SERVERS)('of %s is opened on one replica and used on the other', async server => {
    const [a, b] = await two()
    const session = await open(a[server].mcpUrl)
    expect((await ping(b[server].mcpUrl, session)).status).toBe(200)
    // The other replica keeps the negotiated revision: batches belong to 2025-03-26.
    const batch = await send(b[server].mcpUrl, { body: [rpc('ping')], headers: session })
    expect([batch.status, JSON.parse(batch.body)]).toEqual([200, [{ jsonrpc: '2.0', id: 1, result: {} }]])
  })

  test('belongs to one server: another does not know it', async () => {
    const [a, b] = await two()
    expect((await ping(b.instanode.mcpUrl, await open(a.safebot.mcpUrl))).status).toBe(404)
  })

  // fidelity replicas, same: An agent has the same handle at each replica. Its label in a room is known only
  // to the replica that has set it.
  test('of Safebot has the same handle at every replica, and no other session has it', async () => {
    const [a, b] = await two()
    const [one, other] = [await open(a.safebot.mcpUrl), await open(b.safebot.mcpUrl)]
    const handles = await Promise.all([
      handleOn(a, one),
      handleOn(b, one),
      handleOn(a, other),
      handleOn(b, other),
    ])
    expect(handles[0]).toMatch(/^mcp-[0-9a-f]{16}$/)
    expect(handles[1]).toBe(handles[0])
    expect(handles[3]).toBe(handles[2])
    expect(handles[2]).not.toBe(handles[0])
  })

  // fidelity replicas, same: An MCP session that ends at one replica ends at all.
  test('ends at all replicas when it ends at one', async () => {
    const [a, b] = await two()
    const session = await open(a.safebot.mcpUrl)
    await ping(b.safebot.mcpUrl, session)
    expect((await send(b.safebot.mcpUrl, { method: 'DELETE', headers: session })).status).toBe(200)
    await until(async () => (await ping(a.safebot.mcpUrl, session)).status === 404)
    expect((await ping(b.safebot.mcpUrl, session)).status).toBe(404)
  })

  // fidelity replicas, differs: A restart ends sessions. Here: With a store they go on, because the store has
  // them.
  test('is kept when all replicas have ended', async () => {
    const url = stores.freshUrl()
    const first = await createUnderstudy({ store: url, databases: new RecordingDatabases() })
    const session = await open(first.safebot.mcpUrl)
    await first.close()
    const again = await replica(url)
    expect((await ping(again.safebot.mcpUrl, session)).status).toBe(200)
  })

  test('that no client has opened is not found', async () => {
    const [a] = await two()
    const answer = await ping(a.safebot.mcpUrl, { 'mcp-session-id': 'made-up' })
    expect([answer.status, answer.body]).toEqual([404, expect.stringContaining('initialize again')])
  })

  test('that has been idle for too long has ended', async () => {
    const [a] = await two()
    const { records } = a.instance
    const session = await open(a.safebot.mcpUrl)
    const sessions = (idleMs: number) =>
      new SharedSessions({ records, log: silentLog, endpoint: 'safebot', idleMs })
    expect(await sessions(3_600_000).find(session['mcp-session-id'])).toEqual({ version: '2025-03-26' })
    expect(await sessions(0).find(session['mcp-session-id'])).toBeUndefined()
  })
})

describe('while the store is away', () => {
  test('known sessions continue, unknown ones are refused as temporary, and one that was ended meanwhile is over', async () => {
    const url = stores.freshUrl()
    const wire = await layWire(url)
    const [a, b] = [await replica(wire.url), await replica(url)]
    const [known, unknown] = [await open(a.safebot.mcpUrl), await open(b.safebot.mcpUrl)]
    await wire.cut()
    expect((await ping(a.safebot.mcpUrl, known)).status).toBe(200)
    const answer = await ping(a.safebot.mcpUrl, unknown)
    expect([answer.status, answer.headers['retry-after']]).toEqual([503, '1'])
    await send(b.safebot.mcpUrl, { method: 'DELETE', headers: known })
    await wire.mend()
    await until(async () => (await ping(a.safebot.mcpUrl, known)).status === 404)
    expect((await ping(a.safebot.mcpUrl, unknown)).status).toBe(200)
  })

  test('a session can be opened, for the replica that opens it', async () => {
    const wire = await layWire(stores.freshUrl())
    const a = await replica(wire.url)
    await wire.cut()
    const session = await open(a.safebot.mcpUrl)
    expect((await ping(a.safebot.mcpUrl, session)).status).toBe(200)
  })
})
