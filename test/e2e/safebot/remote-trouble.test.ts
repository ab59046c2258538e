import type { ServerResponse } from 'node:http'
import { describe, expect, it } from 'vitest'
import { createUnderstudy } from '../../../servers/understudy/index.js'
import { createRoom, say } from '../../support/clients/room.js'
import { DEAD_BASE, fakeService, roomAt } from '../../support/servers/fake-service.js'
import { remoteSafebot } from '../../support/servers/remote.js'
import { call, ok, refused, startUnderstudy, textOf } from '../../support/servers/understudy.js'

const UUID = 'c01f7112-0c43-41fa-a6c6-6da2ee14b8db'

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json' })
  response.end(JSON.stringify(body))
}

/** An agent connected to something that answers like this. */
async function facing(answer: (response: ServerResponse, url: string) => void) {
  const base = await fakeService((request, response) => answer(response, request.url ?? ''))
  const { safebot, warnings } = await remoteSafebot(base)
  return { base, url: roomAt(base), warnings, agent: await safebot.connect({ handle: 'agent' }) }
}

describe('a service that cannot be reached', () => {
  // fidelity safebot/mcp, differs: The error for an unreachable service is `fetch failed`. Here: The error
  // names the service and the reason, so that the user knows the next step.
  it('is named by every tool, with the remedy', async () => {
    const base = DEAD_BASE
    const { safebot } = await remoteSafebot(base)
    const agent = await safebot.connect({ handle: 'agent' })
    const url = roomAt(base)
    for (const [tool, args] of [
      ['send_message', { url, text: 'hi' }],
      ['claim_task', { url }],
      ['ack_task', { url, claim_id: 'x', seq: 1 }],
    ] as const) {
      expect(await refused(agent, tool, args)).toMatch(
        new RegExp(
          `^${tool} failed: ${base} cannot be reached \\(.*ECONNREFUSED.*\\): start the stand-in there`,
        ),
      )
    }
  })

  // fidelity safebot/mcp, differs: A service that has forgotten the handle refuses its claims until the
  // client restarts. Here: The client registers the handle again, so that the next call works.
  it('has no state after a restart, and the next call succeeds', async () => {
    const first = await createUnderstudy({ clock: 'manual' })
    const { apiUrl } = first.safebot
    const { safebot } = await remoteSafebot(apiUrl)
    const [boss, worker] = [
      await safebot.connect({ handle: 'boss' }),
      await safebot.connect({ handle: 'worker' }),
    ]
    const url = await createRoom(boss)
    const parked = call(worker, 'claim_task', { url })
    await first.clock.whenPending(1)
    await first.close()
    expect(textOf(await parked)).toMatch(/^claim_task failed: (claim failed: 503|.* cannot be reached)/)

    const second = await startUnderstudy({ safebotPort: Number(new URL(apiUrl).port), seed: 'second' })
    const again = call(worker, 'claim_task', { url })
    await second.clock.whenPending(1)
    await say(boss, url, 'work')
    expect(textOf(await again)).toContain('boss: work')
    expect(await ok(boss, 'room_status', { url })).toMatchObject({ status: { recent_count: 1 } })
  })

  it('can be called many times at once, without a warning', async () => {
    const warnings: Error[] = []
    const note = (warning: Error) => warnings.push(warning)
    process.on('warning', note)
    const { safebot } = await remoteSafebot(DEAD_BASE)
    const agent = await safebot.connect({ handle: 'agent' })
    const url = roomAt(DEAD_BASE)
    await Promise.all(Array.from({ length: 20 }, () => refused(agent, 'room_status', { url })))
    process.off('warning', note)
    expect(warnings).toEqual([])
  })

  it('does not delay a server that stops: a caller that would try again is answered', async () => {
    const { safebot, close } = await remoteSafebot(DEAD_BASE)
    const agent = await safebot.connect({ handle: 'agent' })
    const url = roomAt(DEAD_BASE)
    const calls = ['wait_for_messages', 'room_status', 'claim_task'].map(tool =>
      refused(agent, tool, { url }),
    )
    // By now they have been turned away once, or are about to be.
    for (let turn = 0; turn < 20; turn++) await new Promise(resolve => setImmediate(resolve))
    await close()
    for (const text of await Promise.all(calls)) expect(text).toMatch(/cannot be reached|is shutting down/)
  })

  // fidelity safebot/mcp, same: `next_task` returns the message with a warning if its ack fails.
  it('leaves next_task with its message and a warning if the ack fails', async () => {
    const message = {
      seq: 7,
      id: UUID,
      sender: 'boss',
      sender_verified: false,
      ciphertext: 'AAAA',
      nonce: 'AAAA',
      ts: 1,
    }
    const { agent, url } = await facing((response, target) => {
      if (target.includes('/ack')) response.destroy()
      else if (target.includes('/claim'))
        json(response, 200, { ok: true, claim_id: UUID, message, cursor: 0, last_seq: 7 })
      else json(response, 201, {})
    })
    const said = textOf(await call(agent, 'next_task', { url }))
    expect(said).toContain('[seq=7] boss: [undecryptable')
    expect(said).toMatch(
      /\(warning: http.* cannot be reached \(.*; message will be re-delivered on next call\)$/,
    )
  })
})

describe('a server that is not the service', () => {
  // fidelity safebot/mcp, same: The client does not follow redirects.
  it('has its redirects ignored', async () => {
    const strangers: string[] = []
    const elsewhere = await fakeService((request, response) => {
      strangers.push(request.url ?? '')
      json(response, 200, { ok: true, id: UUID, seq: 1 })
    })
    const { agent, base, url } = await facing((response, target) => {
      response.writeHead(307, { Location: `${elsewhere}${target}` })
      response.end()
    })
    expect(await refused(agent, 'send_message', { url, text: 'hi' })).toBe(
      `send_message failed: ${base} answered with a redirect, and redirects are not followed: if you trust the target of the redirect, connect to it directly`,
    )
    await refused(agent, 'claim_task', { url, timeout_seconds: 1 })
    expect(strangers).toEqual([])
  })

  // fidelity safebot/mcp, differs: The client accepts an answer of another shape. Here: It refuses the
  // answer, because another program answers at that address.
  it.each([
    ['a page', (response: ServerResponse) => response.end('<html>hello</html>')],
    ['other JSON', (response: ServerResponse) => json(response, 200, { jsonrpc: '2.0' })],
    ['nothing', (response: ServerResponse) => response.end()],
  ])('is recognized by an answer with %s', async (_, answer) => {
    const { agent, base, url } = await facing(answer)
    expect(await refused(agent, 'send_message', { url, text: 'hi' })).toBe(
      `send_message failed: the answer of ${base} to POST /api/rooms/ABCDEF/messages does not have the form of a SafeBot answer: ` +
        'check that a stand-in or SafeBot listens at this address',
    )
  })
})

describe('a refusal', () => {
  // fidelity safebot/mcp, differs: The client quotes an HTML error whole, with its stack. Here: It quotes the
  // first line, because the stack helps no caller.
  it('that is an HTML page is quoted by its first line, without its stack', async () => {
    const page =
      '<!DOCTYPE html><html><body><pre>PayloadTooLargeError: request entity too large<br> &nbsp; at readStream (/home/x/raw-body.js:163:17)</pre></body></html>'
    const { agent, url } = await facing(response => {
      response.writeHead(413, { 'Content-Type': 'text/html' })
      response.end(page)
    })
    expect(await refused(agent, 'send_message', { url, text: 'hi' })).toBe(
      'send_message failed: send failed: 413 {"error":"PayloadTooLargeError: request entity too large"} — send the text in several messages',
    )
  })

  it.each([
    [500, 'AWS_SECRET=CANARY-secret'],
    [403, '{"error":"CANARY-secret"}'],
    [409, '{"error":"CANARY-secret","cursor":"x"}'],
  ])('%i of a service that only a room URL names is shown without its body', async (status, body) => {
    const base = await fakeService((_, response) => response.writeHead(status).end(body))
    const { safebot } = await remoteSafebot(DEAD_BASE)
    const agent = await safebot.connect({ handle: 'agent' })
    const url = roomAt(base)
    for (const [tool, args] of [
      ['room_status', { url }],
      ['send_message', { url, text: 'hi' }],
      ['claim_task', { url }],
      ['get_transcript', { url }],
    ] as const) {
      const said = await refused(agent, tool, args)
      expect(said).toContain(`${status}`)
      expect(said).toContain(`a body of ${body.length} bytes, which is not shown`)
      expect(said).not.toContain('CANARY')
    }
  })

  // fidelity safebot/mcp, same: The client sends a message once, even after a 429.
  it('that is temporary is repeated for reads, and never for writes', async () => {
    const asked: string[] = []
    const { agent, url } = await facing((response, target) => {
      const route = target.replace(/.*\/|\?.*/g, '')
      asked.push(route)
      if (route === 'status' && asked.length > 2) json(response, 200, { exists: false, roomId: 'ABCDEF' })
      else {
        response.setHeader('Retry-After', '5')
        json(response, 429, { error: 'rate limited' })
      }
    })
    expect(await ok(agent, 'room_status', { url })).toMatchObject({ exists: false })
    expect(asked).toEqual(['status', 'status', 'status'])
    expect(await refused(agent, 'send_message', { url, text: 'hi' })).toBe(
      'send_message failed: send failed: 429 {"error":"rate limited"} — try again in 5 s',
    )
    expect(asked.filter(route => route === 'messages')).toHaveLength(1)
  })

  // fidelity safebot/mcp, same: The error of a refused read is `HTTP <status>: <body>`.
  // fidelity safebot/mcp, differs: The client repeats a read after any 4xx. Here: It does not repeat after
  // 400, because the answer would be the same.
  it('that is permanent is not repeated', async () => {
    let asked = 0
    const { agent, url } = await facing(response => {
      asked++
      json(response, 400, { error: 'bad roomId' })
    })
    expect(await refused(agent, 'get_transcript', { url })).toBe(
      'get_transcript failed: HTTP 400: {"error":"bad roomId"}',
    )
    expect(asked).toBe(1)
  })
})

// fidelity safebot/mcp, same: `[::1]`, https on localhost and unknown hosts are not in the allowlist.
it('a connected server reaches only allowed bases', async () => {
  const { safebot: service } = await startUnderstudy()
  const { safebot } = await remoteSafebot(service.apiUrl)
  const agent = await safebot.connect({ handle: 'agent' })
  for (const base of [
    'http://example.invalid',
    'https://localhost',
    'http://[::1]:1',
    'http://127.0.0.1.invalid',
  ]) {
    expect(await refused(agent, 'room_status', { url: roomAt(base) })).toContain('not in allowlist')
    expect(await refused(agent, 'create_room', { base })).toContain('not in allowlist')
  }
})
