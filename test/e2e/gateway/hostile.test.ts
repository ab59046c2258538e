import { createServer } from 'node:http'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Clock } from '../../../shared/clock/clock.js'
import { eventsOf, rpc, send } from '../../support/clients/raw-http.js'
import { engineOf, inFrontOf, startGateway } from '../../support/gateway/gateway.js'
import { GatewayPipe } from '../../support/gateway/gateway-pipe.js'
import { startUnderstudy } from '../../support/servers/understudy.js'

const OPEN = { default: 'allow', hide: ['hidden'], tools: {} }
const DEEP = 100_000
const deep = `${'['.repeat(DEEP)}${']'.repeat(DEEP)}`
const deepCall = (id: number) =>
  `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"create_room","arguments":{"x":${deep}}}}`

/** A gateway in front of an upstream that gives this answer to everything. */
async function answering(body: string | Buffer, headers: Record<string, string> = {}, status = 200) {
  const server = createServer((request, response) => {
    request.resume()
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const clock = new Clock({ mode: 'manual' })
  return startGateway({ policy: engineOf(OPEN, clock), clock, upstream: `http://127.0.0.1:${port}/mcp` })
}

describe('arguments nested a hundred thousand deep', () => {
  it('are an error over HTTP, alone and in a batch, and the gateway goes on', async () => {
    const understudy = await startUnderstudy()
    const { url } = await inFrontOf(understudy, 'safebot', OPEN)
    expect((await send(url, { body: deepCall(1) })).json).toMatchObject({ id: 1 })
    const { status } = await send(url, { body: `[${deepCall(1)},{"nothing":1}]` })
    expect(status).toBeGreaterThanOrEqual(200)
    expect((await send(url, { body: rpc('ping') })).status).toBe(200)
  })

  it('are an error on a pipe', async () => {
    const clock = new Clock({ mode: 'manual' })
    const command = [
      process.execPath,
      join(import.meta.dirname, '../../support/servers/loose-server.mjs'),
    ] as const
    const upstream = { command: [...command] as [string, ...string[]] }
    const gateway = await startGateway({ policy: engineOf(OPEN, clock), clock, upstream, http: false })
    const pipe = new GatewayPipe(gateway)
    pipe.say(deepCall(1))
    await pipe.find(({ id }) => id === 1)
    expect(await pipe.ask(rpc('tools/call', { name: 'any' }, 2))).toMatchObject({ result: {} })
  })
})

describe('an upstream that answers', () => {
  const list = (tools: string) => `{"jsonrpc":"2.0","id":1,"result":{"tools":${tools}}}`

  // fidelity gateway/intercept, differs: A list that cannot be read passes as it is. Here: It becomes an
  // error, because hidden tools could be in it.
  it('with a list nested too deeply causes an error', async () => {
    const { url } = await answering(list(`[{"name":"hidden"},{"name":"a","x":${deep}}]`))
    const { status, json } = await send(url, { body: rpc('tools/list') })
    expect([status, json]).toMatchObject([
      502,
      { error: { message: expect.stringContaining('nested too deeply') } },
    ])
  })

  // fidelity gateway/intercept, differs: A compressed list passes as it is. Here: It is unpacked and
  // filtered, because hidden tools could be in it.
  it('with a compressed list has hidden tools removed', async () => {
    const { url } = await answering(gzipSync(list('[{"name":"hidden"},{"name":"a"}]')), {
      'content-encoding': 'gzip',
    })
    expect((await send(url, { body: rpc('tools/list') })).json).toMatchObject({
      result: { tools: [{ name: 'a' }] },
    })
  })

  it('with tools that have no name has them removed, like hidden ones', async () => {
    const { url } = await answering(list('[{"name":"hidden"},{"name":"a"},{"x":1},null,"hidden"]'))
    expect((await send(url, { body: rpc('tools/list') })).json).toMatchObject({
      result: { tools: [{ name: 'a' }] },
    })
  })

  it.each([
    ['with another id', '{"jsonrpc":"2.0","id":2,"result":{}}'],
    ['with the id as text', '{"jsonrpc":"2.0","id":"1","result":{}}'],
    ['with neither result nor error', '{"jsonrpc":"2.0","id":1}'],
    ['with null', 'null'],
    ['with nothing', ''],
    ['with an error to nobody', '{"jsonrpc":"2.0","id":null,"error":{"code":-1,"message":"no"}}'],
  ])('%s causes an error', async (_, body) => {
    const { url } = await answering(body)
    const { status, json } = await send(url, { body: rpc('ping') })
    expect([status, json]).toMatchObject([502, { id: 1, error: { code: -32000 } }])
  })

  it('with cookies and a challenge does not reach the caller with them', async () => {
    const { url } = await answering('{"jsonrpc":"2.0","id":1,"result":{}}', {
      'set-cookie': 'a=b',
      'www-authenticate': 'Bearer',
      'access-control-allow-origin': '*',
    })
    const { headers } = await send(url, { body: rpc('ping') })
    expect(Object.keys(headers)).not.toEqual(expect.arrayContaining(['set-cookie']))
    expect(Object.keys(headers)).not.toEqual(expect.arrayContaining(['www-authenticate']))
    expect(Object.keys(headers)).not.toEqual(expect.arrayContaining(['access-control-allow-origin']))
  })

  it('with an error page causes an error with its status and its beginning', async () => {
    const { url } = await answering('<h1>In the cellar</h1>', { 'content-type': 'text/html' }, 500)
    const { status, json } = await send(url, { body: rpc('ping') })
    expect([status, json]).toMatchObject([
      500,
      { id: 1, error: { message: 'the upstream answered HTTP 500: <h1>In the cellar</h1>' } },
    ])
  })

  it('with a stream that replays a list has hidden tools removed from that, too', async () => {
    const replayed = `id: 1\nevent: message\ndata: ${list('[{"name":"hidden"},{"name":"a"}]')}\n\n`
    const { url } = await answering(replayed, { 'content-type': 'text/event-stream' })
    const headers = { 'mcp-session-id': 's', 'last-event-id': '0' }
    const { body } = await send(url, { method: 'GET', headers })
    expect(eventsOf(body)).toMatchObject([{ result: { tools: [{ name: 'a' }] } }])
  })

  it('with a stream that continues elsewhere ends it without an error', async () => {
    const { url, audit } = await answering('id: 1\ndata:\n\n', { 'content-type': 'text/event-stream' })
    const { body } = await send(url, { body: rpc('tools/call', { name: 'a' }) })
    expect(body).toBe('id: 1\ndata: \n\n')
    expect(audit.entries()).toMatchObject([{ upstream: { ended: 'unanswered', quota: 'kept' } }])
  })

  it('with a redirect is not followed', async () => {
    const { url } = await answering('', { location: 'http://elsewhere.invalid/' }, 307)
    const { status, json, headers } = await send(url, { body: rpc('ping') })
    expect([status, json, headers.location]).toMatchObject([502, { id: 1, error: {} }, undefined])
  })
})
