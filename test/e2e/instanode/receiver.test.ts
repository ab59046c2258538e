import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { BODY_LIMIT } from '../../../servers/instanode/limits.js'
import { send } from '../../support/clients/raw-http.js'
import { createPostgres, createWebhook, PAID, startInstanode } from '../../support/servers/instanode.js'
import { ok } from '../../support/servers/understudy.js'

const entry = z.strictObject({
  body: z.string(),
  encoding: z.enum(['utf8', 'base64']),
  headers: z.record(z.string(), z.string()),
  id: z.uuid(),
  method: z.string(),
  path: z.string(),
  query: z.string(),
  received_at: z.string(),
})
const log = z.strictObject({ ok: z.literal(true), requests: z.array(entry), total: z.int() })

async function readBack(url: string): Promise<z.infer<typeof log>> {
  const { status, json, headers } = await send(url, { method: 'GET' })
  expect([status, headers['content-type']]).toEqual([200, 'application/json; charset=utf-8'])
  return log.parse(json)
}

async function startReceiver(token?: string) {
  const running = await startInstanode()
  return { ...running, hook: await createWebhook(await running.client(token)) }
}

/** Sends bytes that need not be HTTP. Returns the answer of the socket. */
function sendBytes(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.end(bytes))
    let answer = ''
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString('latin1')
    })
    socket.on('close', () => resolve(answer))
    socket.on('error', reject)
  })
}

describe('a receiver', () => {
  // fidelity instanode/http, same: An entry of the log has the method, the body and the canonical headers in
  // clear, without `Host`.
  // fidelity instanode/http, differs: An entry has no path and no query. Here: It has `path`, `query` and
  // `encoding`, because users of the service have asked for them.
  // fidelity instanode/http, same: The published URL reads the log back as `{ok, requests, total}`.
  it('stores a request, and returns it', async () => {
    const { hook } = await startReceiver()
    const headers = { 'x-event': 'push', 'content-type': 'text/plain', authorization: 'Bearer s' }
    const taken = await send(`${hook.receive_url}?a=1&b=%20`, { headers, body: 'héllo <&>' })
    expect([taken.status, taken.json]).toEqual([200, { id: expect.any(String), ok: true }])
    const { requests, total } = await readBack(hook.receive_url)
    expect(total).toBe(1)
    expect(requests).toEqual([
      {
        body: 'héllo <&>',
        encoding: 'utf8',
        headers: expect.objectContaining({
          'X-Event': 'push',
          'Content-Type': 'text/plain',
          'Content-Length': '10',
          Authorization: 'Bearer s',
        }),
        id: z.object({ id: z.string() }).parse(taken.json).id,
        method: 'POST',
        path: new URL(hook.receive_url).pathname,
        query: 'a=1&b=%20',
        received_at: '2026-01-01T00:00:00Z',
      },
    ])
    expect(requests[0]?.headers).not.toHaveProperty('Host')
  })

  // fidelity instanode/contracts, same: Under `documented`, a receiver takes any method.
  it.each(['POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'PROPFIND', 'REPORT'])(
    'accepts %s',
    async method => {
      const { hook, instanode } = await startReceiver()
      expect((await send(hook.receive_url, { method })).status).toBe(200)
      expect(await instanode.deliveries(hook.token)).toMatchObject([{ method }])
    },
  )

  it('does not count a read as a delivery', async () => {
    const { hook } = await startReceiver()
    expect(await readBack(hook.receive_url)).toEqual({ ok: true, requests: [], total: 0 })
    expect((await readBack(hook.receive_url)).total).toBe(0)
  })

  // fidelity instanode/http, same: Repeated headers are joined.
  it('joins repeated headers', async () => {
    const { hook } = await startReceiver()
    await new Promise(resolve => {
      const headers = [
        'X-Tag',
        'a',
        'Host',
        new URL(hook.receive_url).host,
        'x-tag',
        'b',
        'Content-Length',
        '0',
      ]
      httpRequest(hook.receive_url, { method: 'POST', headers }, response => {
        response.resume().on('end', resolve)
      }).end()
    })
    expect((await readBack(hook.receive_url)).requests[0]?.headers['X-Tag']).toBe('a, b')
  })

  // fidelity instanode/http, differs: Bytes that are not UTF-8 become U+FFFD. Here: Such a body is kept in
  // base64, so that no byte is lost.
  it('keeps each byte of a binary body', async () => {
    const { hook, instanode } = await startReceiver()
    const body = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
    await send(hook.receive_url, { body })
    const { requests } = await readBack(hook.receive_url)
    expect(requests[0]?.encoding).toBe('base64')
    expect(Buffer.from(requests[0]?.body ?? '', 'base64').equals(body)).toBe(true)
    expect((await instanode.deliveries(hook.token))[0]?.body.equals(body)).toBe(true)
  })

  // fidelity instanode/http, same: The text for 413 names the limit of 1,048,576 bytes.
  it('accepts 1 MiB, and refuses one byte more', async () => {
    const { hook } = await startReceiver()
    expect((await send(hook.receive_url, { body: Buffer.alloc(BODY_LIMIT, 'a') })).status).toBe(200)
    const refused = await send(hook.receive_url, { body: Buffer.alloc(BODY_LIMIT + 1, 'a') })
    expect([refused.status, refused.json]).toEqual([
      413,
      { error: 'payload_too_large', message: expect.stringContaining('1048576'), ok: false },
    ])
    const { requests, total } = await readBack(hook.receive_url)
    expect([total, requests[0]?.body.length]).toEqual([1, BODY_LIMIT])
  })

  // fidelity instanode/http, differs: The log keeps 100 entries of each receiver, the newest first. Here:
  // Under `documented` a paid receiver keeps 1000, because the service publishes that number.
  it.each([
    [undefined, 100],
    [PAID, 1000],
  ])('of the account %s keeps the last %i entries, the newest first', async (token, keep) => {
    const { hook } = await startReceiver(token)
    for (let nth = 1; nth <= keep + 2; nth++) await send(hook.receive_url, { body: String(nth) })
    const { requests, total } = await readBack(hook.receive_url)
    expect([total, requests[0]?.body, requests.at(-1)?.body]).toEqual([keep, String(keep + 2), '3'])
  })

  it('keeps more from the moment a paid account claims it', async () => {
    const { hook, client } = await startReceiver()
    for (let nth = 1; nth <= 100; nth++) await send(hook.receive_url)
    await ok(await client(PAID), 'claim_token', { token: hook.token })
    await send(hook.receive_url)
    expect((await readBack(hook.receive_url)).total).toBe(101)
  })

  // fidelity instanode/http, differs: Another spelling of a token writes to another log. Here: All spellings
  // write to the same log, because a receiver has one log.
  it('is found by any spelling of its token', async () => {
    const { hook, url, instanode } = await startReceiver()
    const spellings = [hook.token.toUpperCase(), hook.token.replaceAll('-', ''), `%7B${hook.token}%7D`]
    for (const spelling of spellings) {
      expect((await send(`${url}/webhook/receive/${spelling}`)).status).toBe(200)
    }
    expect(await instanode.deliveries(hook.token)).toHaveLength(3)
  })

  it('reports every delivery to in-process listeners, until they unsubscribe', async () => {
    const { hook, instanode } = await startReceiver()
    const heard: string[] = []
    instanode.onDelivery(() => {
      throw new Error('a listener that fails is its own affair')
    })
    const stop = instanode.onDelivery((token, { body }) => heard.push(`${token} ${body}`))
    await send(hook.receive_url, { body: 'one' })
    stop()
    expect((await send(hook.receive_url, { body: 'two' })).status).toBe(200)
    expect(heard).toEqual([`${hook.token} one`])
  })

  it('that is deleted while a body is on its way does not store it', async () => {
    const { hook, client, instanode } = await startReceiver(PAID)
    const status = await new Promise(resolve => {
      const request = httpRequest(hook.receive_url, { method: 'POST' }, response => {
        response.resume()
        resolve(response.statusCode)
      })
      request.write('first half')
      void client(PAID)
        .then(paid => ok(paid, 'delete_resource', { token: hook.token }))
        .then(() => request.end('second half'))
    })
    expect(status).toBe(410)
    expect(await instanode.deliveries(hook.token)).toEqual([])
  })
})

describe('a bad receive URL', () => {
  it.each([
    ['abc', 400, 'invalid_token'],
    ['%00', 400, 'invalid_token'],
    ['00000000-0000-4000-8000-000000000000', 404, 'not_found'],
  ])('…/%s is answered with %i %s, in JSON', async (text, status, error) => {
    const { url } = await startInstanode()
    for (const method of ['POST', 'GET']) {
      const answer = await send(`${url}/webhook/receive/${text}`, { method })
      expect([answer.status, answer.json]).toEqual([status, expect.objectContaining({ error, ok: false })])
    }
  })

  it.each([
    ['', 404, 405],
    ['00000000-0000-4000-8000-000000000000/more', 404, 405],
    ['%E0%A4%A', 400, 400],
  ])('…/%s is no route: %i to GET, %i to POST, in words', async (text, onGet, onPost) => {
    const { url } = await startInstanode()
    for (const [method, status] of [['GET', onGet] as const, ['POST', onPost] as const]) {
      const answer = await send(`${url}/webhook/receive/${text}`, { method })
      expect([answer.status, answer.headers['content-type']]).toEqual([status, 'text/plain; charset=utf-8'])
    }
  })

  it('because it is the token of a database is unknown', async () => {
    const { client, url } = await startInstanode()
    const { token } = await createPostgres(await client())
    expect(await send(`${url}/webhook/receive/${token}`)).toMatchObject({
      status: 404,
      json: { error: 'not_found', ok: false },
    })
  })

  // fidelity instanode/delete, same: A deleted receiver gets 410.
  it('of a deleted receiver gets 410', async () => {
    const { hook, client } = await startReceiver(PAID)
    await ok(await client(PAID), 'delete_resource', { token: hook.token })
    for (const method of ['POST', 'GET']) {
      expect(await send(hook.receive_url, { method })).toMatchObject({
        status: 410,
        json: { error: 'webhook_inactive', ok: false },
      })
    }
  })
})

describe('a malformed request', () => {
  // fidelity instanode/headers, differs: Nothing is published about malformed HTTP. Here: It gets neither a
  // 5xx nor HTML, so that a client always gets a clear error.
  it.each([
    ['an unknown method', 'NONSENSE / HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ['no HTTP at all', '\x16\x03\x01\x02\x00\x01\r\n\r\n'],
    [
      'two lengths',
      'POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
    ],
    [
      'a length and chunks',
      'POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    [
      'a broken chunk',
      'POST /webhook/receive/TOKEN HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
    ],
    ['a header too long', `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`],
    ['no Host', 'GET /webhook/receive/TOKEN HTTP/1.0\r\n\r\n'],
    ['a foreign Host', 'GET /webhook/receive/TOKEN HTTP/1.1\r\nHost: evil.invalid\r\n\r\n'],
    ['a URL that is a star', 'OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'],
    ['a tunnel', 'CONNECT example.invalid:443 HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    [
      'an upgrade',
      'GET /webhook/receive/TOKEN HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n',
    ],
  ])('(%s) gets no 5xx and no HTML', async (_what, bytes) => {
    const { hook } = await startReceiver()
    const answer = await sendBytes(hook.receive_url, bytes.replace('TOKEN', hook.token))
    expect(answer).not.toMatch(/^HTTP\/1\.1 5/)
    expect(answer.toLowerCase()).not.toContain('<html')
  })

  it('that comes from a page of another site is refused', async () => {
    const { hook, instanode } = await startReceiver()
    const answer = await send(hook.receive_url, { headers: { origin: 'https://evil.invalid' } })
    expect([answer.status, answer.json]).toEqual([
      403,
      expect.objectContaining({ error: 'forbidden', ok: false }),
    ])
    expect(await instanode.deliveries(hook.token)).toEqual([])
  })

  it('that hangs up halfway leaves no delivery', async () => {
    const { hook, instanode } = await startReceiver()
    await new Promise<void>(resolve => {
      const request = httpRequest(hook.receive_url, { method: 'POST', headers: { 'content-length': '10' } })
      request.on('error', () => resolve())
      request.write('half', () => request.destroy())
    })
    await send(hook.receive_url, { body: 'whole' })
    expect(await instanode.deliveries(hook.token)).toHaveLength(1)
  })
})
