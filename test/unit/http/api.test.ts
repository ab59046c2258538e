import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { sendJson } from '../../../shared/http/answers.js'
import { createApi } from '../../../shared/http/api.js'
import { Listener } from '../../../shared/http/listener.js'
import { hangUpSignal, operation, paramOf, queryTextOf } from '../../../shared/http/operation.js'
import { send } from '../../support/clients/raw-http.js'

const shown = z.object({ route: z.string(), params: z.record(z.string(), z.string()), search: z.string() })

function show(method: 'GET' | 'POST' | 'ALL', path: string) {
  return operation({
    method,
    path,
    summary: 'Shows what it was asked',
    answer: shown,
    run: request => ({
      route: `${method} ${path}`,
      params: Object.fromEntries(Object.keys(request.params).map(name => [name, paramOf(request, name)])),
      search: queryTextOf(request),
    }),
  })
}

async function start(more: ReturnType<typeof operation>[] = []): Promise<string> {
  const api = createApi({
    name: 'test',
    operations: [
      show('GET', '/rooms/:room'),
      show('POST', '/rooms/:room/messages'),
      show('GET', '/rooms/:room/messages'),
      show('ALL', '/hook/:token'),
      show('GET', '/health'),
      show('GET', '/'),
      ...more,
    ],
    bodyLimit: 10,
    send: (response, value) => sendJson(response, response.statusCode, value),
    reject: (error, _request, response, _next) => sendJson(response, 400, { error: String(error) }),
    notFound: ({ path, allowedMethods }, response) => sendJson(response, 404, { path, allowedMethods }),
  })
  const options = { host: '127.0.0.1', port: 0, name: 'test' }
  const listener = await Listener.open({ ...options, handlers: async () => ({ api: async () => api }) })
  onTestFinished(() => listener.close())
  return listener.url
}

/** Asks for a target as it stands: a URL would be normalized. */
async function ask(url: string, method: string, target: string): Promise<unknown> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.end(`${method} ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
  const answer = await text(socket)
  return JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')))
}

it.each([
  ['GET', '/health', 'GET /health', {}, ''],
  ['GET', '/rooms/abc', 'GET /rooms/:room', { room: 'abc' }, ''],
  ['GET', '/rooms/a%20b%2Fc?d=%20', 'GET /rooms/:room', { room: 'a b/c' }, 'd=%20'],
  ['POST', '/rooms/abc/messages', 'POST /rooms/:room/messages', { room: 'abc' }, ''],
  ['PATCH', '/hook/7?', 'ALL /hook/:token', { token: '7' }, ''],
  ['OPTIONS', '/hook/7', 'ALL /hook/:token', { token: '7' }, ''],
  ['GET', 'http://localhost:4801/rooms/abc?c=1', 'GET /rooms/:room', { room: 'abc' }, 'c=1'],
  ['GET', 'HTTP://localhost?c=1', 'GET /', {}, 'c=1'],
])('%s %s runs %s', async (method, target, route, params, search) => {
  expect(await ask(await start(), method, target)).toEqual({ route, params, search })
})

it.each(['/healthz', '/health/', '/Health', '//health', '/rooms', '/rooms/', '/rooms/a/b', '/hook//'])(
  'runs no operation for %s',
  async target => {
    expect(await ask(await start(), 'GET', target)).toEqual({ path: target, allowedMethods: [] })
  },
)

it('lists the methods of a path in the order of declaration', async () => {
  expect(await ask(await start(), 'DELETE', '/rooms/abc/messages')).toEqual({
    path: '/rooms/abc/messages',
    allowedMethods: ['POST', 'GET'],
  })
})

it("passes on the router's error for an incomplete escape", async () => {
  expect(await ask(await start(), 'GET', '/rooms/%zz')).toEqual({
    error: "URIError: Failed to decode param '%zz'",
  })
})

it('gives an operation the bytes of the body, or reports that they are too many', async () => {
  const url = await start([
    operation({
      method: 'POST',
      path: '/body',
      summary: 'Shows the body',
      answer: z.object({ bytes: z.string(), tooLarge: z.boolean() }),
      run: ({ rawBody, bodyTooLarge }) => ({ bytes: rawBody.toString('hex'), tooLarge: bodyTooLarge }),
    }),
  ])
  const post = async (body: string | Buffer) => (await send(`${url}/body`, { body })).json
  expect(await post(Buffer.from([0, 255]))).toEqual({ bytes: '00ff', tooLarge: false })
  expect(await post('x'.repeat(10))).toMatchObject({ tooLarge: false })
  expect(await post('x'.repeat(11))).toEqual({ bytes: '', tooLarge: true })
})

it('reports to an operation that its caller has hung up', async () => {
  let called: (signal: AbortSignal) => void = () => undefined
  const signalled = new Promise<AbortSignal>(resolve => {
    called = resolve
  })
  const url = await start([
    operation({
      method: 'GET',
      path: '/slow',
      summary: 'Never answers',
      run(_request, response) {
        called(hangUpSignal(response))
        return new Promise(() => undefined)
      },
    }),
  ])
  const caller = new AbortController()
  const answer = expect(fetch(`${url}/slow`, { signal: caller.signal })).rejects.toThrow()
  const signal = await signalled
  caller.abort()
  await answer
  if (!signal.aborted) await new Promise(resolve => signal.addEventListener('abort', resolve))
  expect(signal.reason).toBe('the caller hung up')
})
