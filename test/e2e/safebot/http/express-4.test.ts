import { describe, expect, it } from 'vitest'
import { CONTRACT_NAMES } from '../../../../shared/contract.js'
import { type RawAnswer, type RawRequest, send } from '../../../support/clients/raw-http.js'
import { anyCipher } from '../../../support/clients/safebot-agent.js'
import { startSafebot } from '../../../support/servers/safebot.js'

/** An error page of Express, without the stack. */
const page = (text: string) => `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Error</title>
</head>
<body>
<pre>${text}</pre>
</body>
</html>
`

describe.each(CONTRACT_NAMES)('the HTTP framework of the service, as %s,', contract => {
  const start = async () => {
    const running = await startSafebot({ contract })
    const ask = (path: string, request: RawRequest = {}) => send(running.url + path, request)
    return { ...running, ask }
  }

  const expectError = ({ body, headers, json }: RawAnswer, inJson: unknown, inPage: string) => {
    if (contract === 'documented') expect(json).toEqual({ error: inJson })
    else {
      expect(body).toBe(page(inPage))
      expect(headers['content-security-policy']).toBe("default-src 'none'")
    }
  }

  // fidelity safebot/http, same: Broken JSON gets 400, even on a route that does not exist.
  it.each([
    ['POST', '/api/rooms/room-1/messages'],
    ['GET', '/api/health'],
    ['DELETE', '/api/health'],
    ['POST', '/nowhere'],
    ['OPTIONS', '/api/health'],
    ['POST', '/api/rooms/%zz/claim'],
  ])('refuses invalid JSON before it looks for a route: %s %s', async (method, path) => {
    const { ask, instance } = await start()
    const answer = await ask(path, { method, body: '{"handle":', headers: { 'content-length': '10' } })
    expect(answer.status).toBe(400)
    expectError(
      answer,
      'the body is not a JSON object or list: send a JSON object',
      'SyntaxError: Unexpected end of JSON input',
    )
    expect(instance.journal.entries()).toMatchObject([
      { method: `${method} ${path}`, raw: '{"handle":', outcome: 'protocol_error' },
    ])
  })

  // fidelity safebot/http, same: Half an escape in a parameter of the path gets 400.
  it.each(['/api/rooms/%zz/status', '/api/identity/%E0%A4', '/API/rooms/%zz/status/'])(
    'refuses an incomplete escape in a parameter of the path: %s',
    async path => {
      const { ask } = await start()
      const answer = await ask(path, { method: 'GET' })
      const message = `Failed to decode param ${/identity/.test(path) ? "'%E0%A4'" : "'%zz'"}`
      expect(answer.status).toBe(400)
      expectError(answer, message, `URIError: ${message.replaceAll("'", '&#39;')}`)
    },
  )

  // fidelity safebot/http, same: Paths match in any case, and with a slash at the end.
  it.each(['/API/Health', '/api/health/', '/api/ROOMS/room-1/Status/'])(
    'ignores case in paths, and allows a slash at the end: %s',
    async path => {
      const { ask } = await start()
      expect((await ask(path, { method: 'GET' })).status).toBe(200)
    },
  )

  it('keeps the case of a parameter of the path', async () => {
    const { ask } = await start()
    const { json } = await ask('/api/rooms/Room-1/STATUS', { method: 'GET' })
    expect(json).toEqual({ exists: false, roomId: 'Room-1' })
  })

  // fidelity safebot/http, same: JSON in another charset gets 415.
  it.each(['latin1', 'iso-8859-1', 'klingon'])('refuses JSON in the charset %s', async charset => {
    const { ask, instance } = await start()
    const headers = { 'content-type': `application/json; charset=${charset}` }
    const answer = await ask('/api/rooms/room-1/messages', { body: '{"a":1}', headers })
    expect(answer.status).toBe(415)
    expectError(
      answer,
      'the body is in an unsupported charset: send UTF-8',
      `UnsupportedMediaTypeError: unsupported charset &quot;${charset.toUpperCase()}&quot;`,
    )
    expect(instance.journal.entries()).toMatchObject([{ raw: '{"a":1}', outcome: 'protocol_error' }])
  })

  // fidelity safebot/http, same: A byte order mark before the JSON is skipped.
  it('skips a byte order mark', async () => {
    const { ask, instance } = await start()
    const body = `\ufeff${JSON.stringify(anyCipher())}`
    expect((await ask('/api/rooms/room-1/messages', { body })).json).toMatchObject({ ok: true })
    expect(instance.journal.entries().map(({ raw }) => raw)).toEqual([body])
  })

  it('reads JSON in UTF-16', async () => {
    const { ask } = await start()
    const headers = { 'content-type': 'application/json; charset=utf-16le' }
    const body = Buffer.from(JSON.stringify(anyCipher()), 'utf16le')
    expect((await ask('/api/rooms/room-1/messages', { body, headers })).json).toMatchObject({ ok: true })
  })

  // fidelity safebot/http, same: OPTIONS lists the verbs in the order of their registration.
  it.each([
    ['/api/identity/register', 'POST,GET,HEAD'],
    ['/api/rooms/room-1/messages', 'POST'],
    ['/API/health/', 'GET,HEAD'],
  ])('lists the verbs of %s in the order of registration: %s', async (path, verbs) => {
    const { ask } = await start()
    const { status, headers, body } = await ask(path, { method: 'OPTIONS' })
    expect([status, body, headers.allow]).toEqual([200, verbs, verbs])
    expect(headers['content-type']).toBe('text/html; charset=utf-8')
    expect(headers.etag).toMatch(/^W\/"[0-9a-f]+-.{27}"$/)
  })

  // fidelity safebot/http, same: A matching `If-None-Match` gets 304.
  it('answers 304 to a caller that has the same answer already', async () => {
    const { ask } = await start()
    const path = '/api/rooms/room-1/status'
    const { etag = '' } = (await ask(path, { method: 'GET' })).headers
    const again = await ask(path, { method: 'GET', headers: { 'if-none-match': etag } })
    expect([again.status, again.body]).toEqual([304, ''])
  })

  it('shows the path of an unknown route', async () => {
    const { ask } = await start()
    const answer = await ask('/no%3Cwhere?a=1', { method: 'DELETE' })
    expect(answer.status).toBe(404)
    expectError(answer, expect.stringContaining('Cannot DELETE /no%3Cwhere'), 'Cannot DELETE /no%3Cwhere')
  })

  it.each([
    ['limit=1&limit=2', 1],
    ['limit[]=1', 1],
    ['limit[a]=1', 2],
    ['limit=1.9', 1],
    ['limit[toString]=1', 2],
  ])('takes the first of several values of a parameter: %s', async (query, count) => {
    const { ask, agent } = await start()
    const alice = await agent('alice')
    for (let nth = 0; nth < 2; nth++) await alice.say('room-1')
    const { json } = await ask(`/api/rooms/room-1/transcript?${query}`, { method: 'GET' })
    expect(json).toMatchObject({ count })
  })

  it('names no framework', async () => {
    const { ask } = await start()
    expect((await ask('/api/health', { method: 'GET' })).headers).not.toHaveProperty('x-powered-by')
  })
})

describe('the journal', () => {
  it.each([
    ['a body that is no JSON by its type', { 'content-type': 'text/plain' }, 'plain \u2603', 400],
    ['a body in an unknown encoding', { 'content-encoding': 'compress' }, '{}', 415],
    ['a body for a path that leads nowhere', {}, '{"a":1}', 404],
  ])('has %s, with the same bytes', async (_, headers, body, status) => {
    const { url, instance } = await startSafebot()
    const path = status === 404 ? '/nowhere' : '/api/rooms/room-1/messages'
    expect((await send(url + path, { headers, body })).status).toBe(status)
    expect(instance.journal.entries().map(({ raw }) => raw)).toEqual([body])
  })

  it('has a request whose body is too large, without the body', async () => {
    const { url, instance } = await startSafebot()
    const body = JSON.stringify({ filler: 'x'.repeat(200_000) })
    expect((await send(`${url}/api/rooms/room-1/messages`, { body })).status).toBe(413)
    expect(instance.journal.entries()).toMatchObject([{ raw: '', outcome: 'protocol_error' }])
  })
})
