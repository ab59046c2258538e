import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { startControlled } from '../../support/clients/control.js'

const FAULT = { server: 'safebot', tool: 'room_status', when: { nth: 1 }, do: { hang: true } }
const OVERLAY = { server: 'safebot', tool: 'room_status', do: { hide: true } }

/** A fault that could be read, and neither copied nor listed. */
const DEEP = `{"faults":[{"server":"safebot","tool":"*","when":{"nth":1},"do":{"httpStatus":500,"body":{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}}}]}`

/** A request that is refused: with which status and code, and words of the message or the hint. */
const REFUSED: [method: string, path: string, body: unknown, status: number, code: string, words: string][] =
  [
    ['POST', '/clock/advance', { ms: -1 }, 400, 'bad_advance', 'body.ms is -1'],
    ['POST', '/clock/advance', { ms: 1.5 }, 400, 'bad_advance', 'body.ms is 1.5'],
    ['POST', '/clock/advance', '{"ms":1e400}', 400, 'bad_advance', 'body.ms'],
    ['POST', '/clock/advance', { ms: 9_000_000_000_000_000 }, 400, 'bad_advance', '9999-12-31'],
    ['POST', '/clock/advance', { ms: '1000' }, 400, 'bad_advance', 'body.ms is "1000"'],
    ['POST', '/clock/advance', '{"ms":NaN}', 400, 'bad_json', 'no JSON'],
    ['POST', '/clock/advance', undefined, 400, 'bad_advance', 'body.ms is missing'],
    ['POST', '/clock/advance', [1], 400, 'bad_advance', 'body is [1]'],
    ['POST', '/clock/advance', 'null', 400, 'bad_advance', 'body is null'],
    [
      'POST',
      '/clock/advance',
      { ms: 1, minutes: 2 },
      400,
      'bad_advance',
      'does not know "minutes": there are ms',
    ],
    ['PUT', '/clock', { mode: 'sundial' }, 400, 'bad_clock', 'real'],
    ['PUT', '/clock', { now: 'noon' }, 400, 'bad_clock', '"noon"'],
    ['PUT', '/clock', { mode: 'real', now: '2000-01-01T00:00:00Z' }, 409, 'clock_backwards', 'manual'],
    ['GET', '/journal?outcome=good', undefined, 400, 'bad_query', 'query.outcome is "good"'],
    ['GET', '/journal?limit=0', undefined, 400, 'bad_query', 'query.limit is "0"'],
    ['GET', '/journal?after=x', undefined, 400, 'bad_query', 'query.after is "x"'],
    ['GET', '/journal?arguments=x', undefined, 400, 'bad_query', 'JSON'],
    ['GET', '/journal?tol=x', undefined, 400, 'bad_query', 'does not know "tol"'],
    ['GET', '/journal?server=instanod', undefined, 400, 'unknown_server', '"instanode" is probably meant'],
    ['GET', '/journal?tool=ack_taks', undefined, 400, 'unknown_tool', '"ack_task" is probably meant'],
    ['GET', '/journal?method=tools/cal', undefined, 400, 'unknown_method', '"tools/call" is probably meant'],
    ['GET', '/journal?outcome=okay', undefined, 400, 'bad_query', 'query.outcome is "okay"'],
    ['GET', '/journal/stream?tool=ack_taks', undefined, 400, 'unknown_tool', '"ack_task"'],
    ['POST', '/journal/wait', { where: { tool: 'ack_taks' } }, 400, 'unknown_tool', '"ack_task"'],
    ['POST', '/journal/wait', { where: { tol: 'ack_task' } }, 400, 'bad_wait', 'does not know "tol"'],
    [
      'POST',
      '/journal/expect-nothing',
      { where: { server: 'x' } },
      400,
      'unknown_server',
      'instanode, safebot',
    ],
    ['POST', '/journal/expect-nothing', { where: { method: 'x' } }, 400, 'unknown_method', 'tools/call'],
    [
      'POST',
      '/journal/expect-nothing',
      { where: { outcome: 'tool_eror' } },
      400,
      'bad_where',
      '"tool_error" is probably meant',
    ],
    ['GET', '/journal?tool=a&tool=b', undefined, 400, 'bad_query', 'query.tool is given twice'],
    ['GET', '/journal/entries/x', undefined, 400, 'bad_path', 'path.seq is "x"'],
    ['GET', '/journal/entries/7', undefined, 404, 'unknown_entry', 'no entry 7'],
    ['GET', '/clock?now=1', undefined, 400, 'bad_query', '/clock takes no parameters'],
    ['GET', '/journal/stream?after=-1', undefined, 400, 'bad_query', 'query.after'],
    ['GET', '/gateways/audit?outcome=good', undefined, 400, 'bad_query', 'query.outcome is "good"'],
    ['GET', '/gateways/audit?limit=0', undefined, 400, 'bad_query', 'query.limit is "0"'],
    ['GET', '/gateways/audit/stream?after=x', undefined, 400, 'bad_query', 'query.after is "x"'],
    ['POST', '/approvals/apr_1', { decision: 'maybe' }, 400, 'bad_decision', 'body.decision is "maybe"'],
    ['POST', '/approvals/apr_1', { decision: 'approve' }, 404, 'unknown_approval', '"apr_1"'],
    ['POST', '/journal/wait', {}, 400, 'bad_wait', 'body.where is missing'],
    ['POST', '/journal/wait', { where: { tol: 'x' } }, 400, 'bad_wait', 'does not know "tol"'],
    ['POST', '/journal/wait', { where: {}, count: 0 }, 400, 'bad_wait', 'body.count is 0'],
    [
      'POST',
      '/journal/expect-nothing',
      { where: { outcome: 'bad' } },
      400,
      'bad_where',
      'body.where.outcome',
    ],
    ['PUT', '/faults', {}, 400, 'bad_fault', 'body.faults is missing'],
    [
      'PUT',
      '/faults',
      { faults: [FAULT, { ...FAULT, do: { explode: true } }] },
      400,
      'bad_fault',
      'no kind of fault',
    ],
    ['PUT', '/faults', { faults: [{ ...FAULT, tool: 'rm_rf' }] }, 400, 'unknown_tool', 'it has create_room'],
    ['PUT', '/faults', { faults: [{ ...FAULT, server: 'skynet' }] }, 400, 'unknown_server', 'there are'],
    ['PUT', '/faults', { faults: [{ ...FAULT, hits: 'many' }] }, 400, 'bad_fault', 'body.faults[0].hits'],
    [
      'PUT',
      '/catalogue',
      { overlays: [{ ...OVERLAY, do: { paint: 'red' } }] },
      400,
      'bad_overlay',
      'no kind of overlay',
    ],
    ['PUT', '/catalogue', { overlays: [{ ...OVERLAY, tool: 'rm_rf' }] }, 400, 'unknown_tool', 'rm_rf'],
    [
      'PUT',
      '/catalogue',
      { overlays: [{ ...OVERLAY, do: { rename: 'ack_task' } }] },
      409,
      'name_taken',
      'ack_task',
    ],
    ['GET', '/state?secrets=please', undefined, 400, 'bad_query', 'query.secrets'],
    ['GET', '/replicas?all=1', undefined, 400, 'bad_query', 'takes no parameters'],
    ['GET', '/state/skynet', undefined, 404, 'unknown_route', '/state/skynet'],
    ['POST', '/accounts/acct_free', { plan: 'gold' }, 400, 'bad_plan', '"gold"'],
    ['POST', '/accounts/nobody', { plan: 'paid' }, 404, 'unknown_account', 'acct_paid'],
    ['POST', '/accounts/', { plan: 'paid' }, 404, 'unknown_route', '/accounts/'],
    ['POST', '/accounts/%zz', { plan: 'paid' }, 404, 'unknown_route', '%zz'],
    ['POST', '/reset', { world: 7 }, 400, 'bad_world', 'body.world is 7'],
    ['POST', '/reset', { wrold: 'empty' }, 400, 'bad_world', 'does not know "wrold"'],
    ['POST', '/snapshots', { name: 'mine' }, 400, 'bad_body', '"name"'],
    ['POST', '/snapshots/none/restore', undefined, 404, 'unknown_snapshot', 'take one first'],
    ['DELETE', '/snapshots/none', undefined, 404, 'unknown_snapshot', '"none"'],
    ['GET', '/mcp', undefined, 404, 'unknown_route', 'GET / lists'],
    ['POST', '/mcp', { jsonrpc: '2.0', id: 1, method: 'tools/list' }, 404, 'unknown_route', '/mcp'],
    ['GET', '/nowhere', undefined, 404, 'unknown_route', '/nowhere'],
    ['PATCH', '/clock', {}, 405, 'method_not_allowed', 'it takes GET, PUT, HEAD'],
    ['POST', '/faults', {}, 405, 'method_not_allowed', 'GET, PUT, DELETE'],
    ['OPTIONS', '/reset', undefined, 405, 'method_not_allowed', 'it takes POST'],
    ['PUT', '/faults', 'x'.repeat(1024 * 1024 + 1), 413, 'body_too_large', '1048576'],
    ['PUT', '/faults', DEEP, 400, 'bad_json', 'nested more than 100 levels deep'],
    ['PUT', '/faults', '{', 400, 'bad_json', 'no JSON'],
  ]

describe('the control plane', () => {
  it.each(REFUSED)('refuses %s %s %j', async (method, path, body, status, code, words) => {
    const { ask, control, u } = await startControlled()
    await ask('PUT', '/faults', { faults: [FAULT] })
    const before = await control.state({ secrets: true })
    const answer = await ask(method, path, body)
    const { error } = Object(answer.json)
    expect([answer.status, error?.code]).toEqual([status, code])
    expect(Object.keys(error)).toEqual(['code', 'message', 'hint'])
    expect(`${error.message}: ${error.hint}`).toContain(words)
    expect(answer.body).not.toMatch(/\bat .*\.(ts|js):/)
    // Nothing is half applied, and nothing has come to a server.
    expect([await control.state({ secrets: true }), await control.faults.list()]).toEqual([
      before,
      [{ ...FAULT, hits: 0 }],
    ])
    expect([await control.catalogue.list(), u.journal.entries()]).toEqual([[], []])
  })

  it('names the methods of a path in Allow', async () => {
    const { ask } = await startControlled()
    expect((await ask('POST', '/journal')).headers.allow).toBe('GET, DELETE, HEAD')
  })

  it.each([
    [{ origin: 'https://evil.example' }, 'evil.example'],
    [{ origin: 'null' }, 'null'],
    // A page that an agent serves on this machine must not approve calls from the user's browser.
    [{ origin: 'http://localhost:3000' }, 'localhost:3000'],
    [{ host: 'rebound.example:4800' }, 'rebound.example'],
  ])('refuses a request with %j', async (headers, words) => {
    const { ask, u } = await startControlled()
    const answer = await ask('POST', '/clock/advance', { ms: 1000 }, headers)
    expect([answer.status, Object(answer.json).error]).toMatchObject([
      403,
      { code: 'forbidden', message: expect.stringContaining(words) },
    ])
    expect(u.clock.now()).toBe(Date.parse('2026-01-01T00:00:00Z'))
  })

  it('keeps out a request with several Host headers', async () => {
    const { u } = await startControlled()
    const { host, hostname, port } = new URL(u.control.url)
    const socket = connect(Number(port), hostname)
    socket.end(`GET /clock HTTP/1.1\r\nHost: ${host}\r\nHost: rebound.example\r\nConnection: close\r\n\r\n`)
    const answer = await text(socket)
    expect(answer).toMatch(/^HTTP\/1\.1 403 /)
    expect(answer).toContain('several Host headers')
  })

  it('accepts its own page, and hosts that were allowed', async () => {
    const { ask, u } = await startControlled({ allowedHosts: ['box.lan'] })
    expect((await ask('GET', '/clock', undefined, { origin: u.control.url })).status).toBe(200)
    expect((await ask('GET', '/clock', undefined, { host: 'box.lan:4800' })).status).toBe(200)
  })

  it('hides the cause of an internal error', async () => {
    const { ask, u } = await startControlled()
    u.faults.list = () => {
      throw new Error('password hunter2 in /etc/somewhere')
    }
    const answer = await ask('GET', '/faults')
    expect([answer.status, Object(answer.json).error.code]).toEqual([500, 'internal_error'])
    expect(answer.body).not.toContain('hunter2')
  })

  it('continues when a caller hangs up in the middle of a body', async () => {
    const { ask, u } = await startControlled()
    const { connect } = await import('node:net')
    const { port } = new URL(u.control.url)
    const socket = connect(Number(port), '127.0.0.1')
    socket.write(`PUT /faults HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Length: 100\r\n\r\n{"faul`)
    socket.destroy()
    expect((await ask('GET', '/healthz')).status).toBe(200)
  })
})
