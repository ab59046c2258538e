import { createServer, type Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import { describe, expect, it, onTestFinished } from 'vitest'
import { HttpUpstream } from '../../../servers/gateway/proxy/http-upstream.js'
import { readAnswer } from '../../../servers/gateway/proxy/read-response.js'
import { until } from '../../support/until.js'

/** An upstream that answers every request with these pieces, byte for byte. */
async function upstreamOf(answer: (socket: Socket, request: string) => void) {
  let connections = 0
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, socket => {
    connections++
    sockets.add(socket)
    socket.on('data', chunk => answer(socket, chunk.toString('latin1')))
    socket.on('error', () => undefined)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const upstream = new HttpUpstream(new URL(`http://127.0.0.1:${port}/mcp`))
  onTestFinished(() => {
    upstream.close()
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { upstream, connections: () => connections }
}

function ask(upstream: HttpUpstream, headers: Record<string, string> = {}): Promise<unknown[]> {
  return new Promise(resolve => {
    upstream.send(
      { method: 'POST', query: '?q', headers, body: 'ä' },
      {
        fail: why => resolve([why.replace(/http:\S+/, 'URL')]),
        answer: ({ status, body }) =>
          readAnswer(body, read => resolve([status, read.ok ? read.text : read.why])),
      },
    )
  })
}

/** Resolves when the connection of the last answer can be used again: undici waits a turn of the event loop. */
function connectionFree(): Promise<void> {
  return new Promise(resolve => setImmediate(() => setImmediate(resolve)))
}

/** One byte at a time, each in a turn of its own. */
async function drip(socket: Socket, text: string | Buffer) {
  for (const byte of Buffer.from(text)) {
    socket.write(Buffer.from([byte]))
    await new Promise(resolve => setImmediate(resolve))
  }
}

const good = (body: string, more = '') =>
  `HTTP/1.1 200 OK\r\n${more}Content-Length: ${body.length}\r\n\r\n${body}`

describe('the HTTP client of the gateway', () => {
  it('sends head and body, and keeps its connection', async () => {
    const requests: string[] = []
    const { upstream, connections } = await upstreamOf((socket, request) => {
      requests.push(request)
      socket.write(good('one'))
    })
    expect(await ask(upstream, { a: 'b', bad: 'ü' })).toEqual([200, 'one'])
    await connectionFree()
    expect(await ask(upstream)).toEqual([200, 'one'])
    expect(connections()).toBe(1)
    expect(requests[0]).toMatch(
      /^POST \/mcp\?q HTTP\/1\.1\r\nhost: [\d.:]+\r\nconnection: keep-alive\r\na: b\r\ncontent-length: 2\r\n\r\n/,
    )
  })

  it.each<[string, string | Buffer, unknown[]]>([
    ['a length', good('body'), [200, 'body']],
    [
      'chunks',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nbo\r\n2\r\ndy\r\n0\r\nT: x\r\n\r\n',
      [200, 'body'],
    ],
    ['nothing at all', 'HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n', [202, '']],
    ['a 204', 'HTTP/1.1 204 No Content\r\n\r\n', [204, '']],
    ['a word before the answer', `HTTP/1.1 103 Early Hints\r\n\r\n${good('body')}`, [200, 'body']],
    [
      'compression',
      Buffer.concat([
        Buffer.from(
          `HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${gzipSync('body').length}\r\n\r\n`,
        ),
        gzipSync('body'),
      ]),
      [200, 'body'],
    ],
  ])('reads %s, whole and byte by byte', async (_, answer, expected) => {
    const whole = await upstreamOf(socket => void socket.write(answer))
    expect(await ask(whole.upstream)).toEqual(expected)
    expect(await ask(whole.upstream)).toEqual(expected)
    const dripping = await upstreamOf(socket => void drip(socket, answer))
    expect(await ask(dripping.upstream)).toEqual(expected)
  })

  it.each<[string, string, unknown[]]>([
    ['an answer that is not HTTP', 'SSH-2.0-x\r\n\r\n', ['the upstream URL gave an answer that is not HTTP']],
    [
      'two lengths',
      'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
      [expect.stringContaining('not HTTP')],
    ],
    [
      'the same length twice',
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nab',
      [expect.stringContaining('not HTTP')],
    ],
    [
      'a length and chunks',
      'HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n',
      [expect.stringContaining('not HTTP')],
    ],
    [
      'another transfer coding',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nab',
      ['the upstream URL gave an answer that is not HTTP'],
    ],
    [
      'a coding beside chunked',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n',
      ['the upstream URL gave an answer that is not HTTP'],
    ],
    [
      'chunked twice',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      ['the upstream URL gave an answer that is not HTTP'],
    ],
    [
      'a 100 Continue that no request expects',
      `HTTP/1.1 100 Continue\r\n\r\n${good('body')}`,
      ['the upstream URL gave an answer that is not HTTP'],
    ],
    [
      'another protocol',
      'HTTP/1.1 101 Switching\r\n\r\n',
      ['the upstream URL gave an answer that is not HTTP'],
    ],
    [
      'a length that is none',
      'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n',
      [expect.stringContaining('not HTTP')],
    ],
    [
      'a chunk that is none',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n',
      [200, 'broke off in the middle of its answer'],
    ],
    [
      'a chunk too long',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n',
      [200, 'broke off in the middle of its answer'],
    ],
    [
      'broken compression',
      'HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd',
      [200, 'broke off in the middle of its answer'],
    ],
    [
      'an endless head',
      `HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(20_000)}`,
      [expect.stringContaining('not HTTP')],
    ],
  ])('reports %s as an error', async (_, answer, expected) => {
    const { upstream } = await upstreamOf(socket => void socket.write(answer))
    expect(await ask(upstream)).toEqual(expected)
  })

  it('reads up to the end of the connection if nothing else marks the end', async () => {
    const { upstream } = await upstreamOf(socket => void socket.end('HTTP/1.0 200 OK\r\n\r\nbody'))
    expect(await ask(upstream)).toEqual([200, 'body'])
  })

  it('reports an incomplete answer as an error, and does not send the request again', async () => {
    let asked = 0
    const { upstream } = await upstreamOf(socket => {
      asked++
      if (asked === 1) socket.write(good('one'))
      else if (asked === 2) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf')
      else socket.destroy()
    })
    await ask(upstream)
    expect(await ask(upstream)).toEqual([200, 'broke off in the middle of its answer'])
    expect(await ask(upstream)).toEqual([expect.stringContaining('broke off without an answer')])
    expect(asked).toBe(3)
  })

  it('closes the connection to an upstream that sends more than one answer to a request', async () => {
    const { upstream, connections } = await upstreamOf(
      socket => void socket.write(good('one') + good('smuggled')),
    )
    expect(await ask(upstream)).toEqual([200, 'one'])
    expect(await ask(upstream)).toEqual([200, 'one'])
    expect(connections()).toBe(2)
  })

  it('drops an idle connection on which an answer comes that no request asked for', async () => {
    const later: (() => void)[] = []
    const { upstream, connections } = await upstreamOf(socket => {
      socket.write(good('one'))
      later.push(() => void socket.write(good('smuggled')))
      if (later.length === 1) socket.on('close', () => later.push(() => undefined))
    })
    expect(await ask(upstream)).toEqual([200, 'one'])
    later[0]?.()
    await until(() => later.length === 2)
    expect(await ask(upstream)).toEqual([200, 'one'])
    expect(connections()).toBe(2)
  })

  it('keeps the next request when a finished one is aborted, and delays no request for a slow reader', async () => {
    const { upstream, connections } = await upstreamOf((socket, request) => {
      if (!request.includes('second')) socket.write(good('one'))
      else setImmediate(() => setImmediate(() => void socket.write(good('two'))))
    })
    const sent = await new Promise<{ abort(): void; pause(): void; resume(): void }>(resolve => {
      const first = upstream.send(
        { method: 'POST', query: '', headers: {}, body: 'first' },
        {
          fail: () => undefined,
          answer: ({ body }) =>
            body.read({
              data() {
                body.pause()
                setImmediate(() => body.resume())
              },
              end: () =>
                resolve({
                  abort: () => first.abort(),
                  pause: () => body.pause(),
                  resume: () => body.resume(),
                }),
              broken: () => undefined,
            }),
        },
      )
    })
    await connectionFree()
    const second = ask(upstream, { which: 'second' })
    sent.pause()
    sent.abort()
    sent.resume()
    expect(await second).toEqual([200, 'two'])
    expect(connections()).toBe(1)
  })
})
