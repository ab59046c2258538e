import { describe, expect, it } from 'vitest'
import { VERSION } from '../../../shared/util/version.js'
import { startControlled } from '../../support/clients/control.js'
import { modernCall, modernRpc, sendModern } from '../../support/clients/modern.js'
import { rpc, send } from '../../support/clients/raw-http.js'
import { PATIENT } from '../../support/run/run-options.js'
import { call, ok } from '../../support/servers/understudy.js'

describe('readiness', () => {
  it('is checked by a request to every server', async () => {
    const { ask } = await startControlled()
    const { status, json } = await ask('GET', '/readyz')
    expect([status, json]).toEqual([
      200,
      {
        ready: true,
        checks: {
          instanode: { port: 'ok', mcp: 'ok', store: 'ok', databases: 'ok', deliveries: 'ok' },
          safebot: { port: 'ok', mcp: 'ok', store: 'ok' },
        },
      },
    ])
  })

  it('is lost while a database engine is down, and returns with it', async () => {
    const { ask, control, databases } = await startControlled()
    databases.failing.ready = new Error('the engine is down')
    const { status, json } = await ask('GET', '/readyz')
    expect([status, json]).toMatchObject([
      503,
      {
        ready: false,
        checks: { instanode: { databases: 'the engine is down' }, safebot: { store: 'ok' } },
        error: { code: 'not_ready', message: 'instanode databases: the engine is down' },
      },
    ])
    await control.requireReady()
    databases.failing.ready = new Error('again')
    await expect(control.requireReady()).rejects.toMatchObject({ status: 503, code: 'not_ready' })
  })

  it('is lost when a server has crashed', async () => {
    const { control, u, ask } = await startControlled()
    await control.faults.set([
      { server: 'safebot', tool: 'create_room', when: { nth: 1 }, do: { crash: true } },
    ])
    const crashed = call(await u.safebot.connect(), 'create_room').catch(() => undefined)
    await control.journal.waitFor({ tool: 'create_room', outcome: 'fault' }, PATIENT)
    await crashed
    expect(await ask('GET', '/readyz')).toMatchObject({
      status: 503,
      json: {
        checks: { safebot: { port: 'it does not listen any more', mcp: 'it has been closed', store: 'ok' } },
      },
    })
  })

  it('does not affect overlays, and checks are not in the journal', async () => {
    const { control, u } = await startControlled()
    await control.catalogue.set([{ server: 'safebot', tool: 'room_status', after: 1, do: { hide: true } }])
    await control.requireReady()
    expect([(await control.catalogue.list())[0]?.lists, u.journal.entries()]).toEqual([0, []])
  })

  it('differs from liveness', async () => {
    const { ask, databases, u } = await startControlled()
    databases.failing.ready = new Error('the engine is down')
    expect(await ask('GET', '/healthz')).toMatchObject({
      status: 200,
      json: { status: 'ok', version: VERSION, instance: u.instance.name },
    })
  })
})

describe('/metrics', () => {
  it('counts all calls by server, tool and outcome', async () => {
    const { control, u } = await startControlled()
    const agent = await u.instanode.connect({ token: 'understudy-paid-token' })
    for (let count = 0; count < 3; count++) await ok(agent, 'list_resources')
    await call(agent, 'claim_token', { token: 'nonsense' })
    for (const made of ['up', 'of', '"air"\n']) await call(agent, made)
    await control.journal.clear()
    const metrics = await control.metrics()
    expect(metrics).toContain(
      'understudy_calls_total{server="instanode",tool="list_resources",outcome="ok"} 3\n',
    )
    expect(metrics).toContain(
      'understudy_calls_total{server="instanode",tool="claim_token",outcome="tool_error"} 1\n',
    )
    expect(metrics).toContain(
      'understudy_calls_total{server="instanode",tool="other",outcome="tool_error"} 3\n',
    )
    expect(metrics).toContain(
      'understudy_call_duration_seconds_count{server="instanode",tool="list_resources"} 3\n',
    )
    expect(metrics).toMatch(/_bucket{server="instanode",tool="list_resources",le="\+Inf"} 3\n/)
    expect(metrics).toContain('understudy_journal_entries 0\n')
  })

  it('counts requests by revision, and accepts no name of a revision from a caller', async () => {
    const { control, u } = await startControlled()
    const url = u.safebot.mcpUrl
    await sendModern(url, modernCall('create_room'))
    await sendModern(url, modernRpc('tools/list'), { 'Mcp-Method': 'ping' })
    for (const protocolVersion of ['1900-01-01', 'made up "']) {
      await sendModern(url, modernRpc('tools/list', {}, 1, { protocolVersion }))
    }
    await send(url, { body: rpc('ping'), headers: { 'MCP-Protocol-Version': '2025-06-18' } })
    await send(url, { body: rpc('ping') })
    const metrics = await control.metrics()
    const lines = metrics.split('\n').filter(line => line.startsWith('understudy_requests_total'))
    expect(lines).toEqual([
      'understudy_requests_total{server="safebot",protocol="2026-07-28",outcome="ok"} 1',
      'understudy_requests_total{server="safebot",protocol="2026-07-28",outcome="protocol_error"} 1',
      'understudy_requests_total{server="safebot",protocol="other",outcome="protocol_error"} 2',
      'understudy_requests_total{server="safebot",protocol="2025-06-18",outcome="ok"} 1',
      'understudy_requests_total{server="safebot",protocol="",outcome="ok"} 1',
    ])
  })

  it('shows the current numbers of rooms, resources and sessions', async () => {
    const { control, u, databases } = await startControlled()
    const agent = await u.instanode.connect()
    await ok(agent, 'create_postgres', { name: 'db' })
    await ok(agent, 'create_webhook', { name: 'hook' })
    const chat = await u.safebot.connect()
    const { url } = await ok(chat, 'create_room')
    await ok(chat, 'send_message', { url, text: 'hello' })
    const other = await u.safebot.connect()
    const parked = call(other, 'wait_for_messages', { url, after_seq: 9e15, timeout_seconds: 30 })
    await u.clock.whenPending(2)
    const metrics = await control.metrics()
    for (const line of [
      'resources{type="postgres",tier="anonymous",status="active"} 1',
      'resources{type="webhook",tier="anonymous",status="active"} 1',
      'databases_live 1',
      'rooms 1',
      'messages_buffered 1',
      'waiters 1',
      'calls_under_way{server="safebot"} 1',
      'journal_dropped_total 0',
    ]) {
      expect(metrics).toContain(`understudy_${line}\n`)
    }
    await control.clock.advance(30_000)
    await parked
    expect(databases.live.size).toBe(1)
  })

  it('is well-formed: one heading for each metric, and a number behind every name', async () => {
    const { ask } = await startControlled()
    const { headers, body } = await ask('GET', '/metrics')
    expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8')
    const lines = body.trimEnd().split('\n')
    const sample = /^[a-z_]+({[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*})? -?(\d[\d.e+-]*|\+Inf)$/
    expect(lines.filter(line => !line.startsWith('# ') && !sample.test(line))).toEqual([])
    const types = lines.filter(line => line.startsWith('# TYPE'))
    expect(new Set(types).size).toBe(types.length)
  })
})

describe('GET /', () => {
  it('describes the instance in plain text, unless a browser asks', async () => {
    const { ask, u } = await startControlled()
    const plain = await ask('GET', '/', undefined, { accept: '*/*' })
    expect(plain.headers['content-type']).toContain('text/plain')
    expect(plain.body).toContain('POST   /clock/advance')
    const html = await ask('GET', '/', undefined, { accept: 'text/html,*/*' })
    expect(html.headers['content-type']).toContain('text/html')
    expect((await send(`${u.control.url}/`, { method: 'HEAD' })).status).toBe(200)
  })
})
