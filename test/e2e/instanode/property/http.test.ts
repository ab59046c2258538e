import { connect } from 'node:net'
import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import { send } from '../../../support/clients/raw-http.js'
import { FREE, PAID, startInstanode } from '../../../support/servers/instanode.js'

const PATHS = [
  '/db/new',
  '/webhook/new',
  '/webhook/receive/',
  '/webhook/receive/00000000-0000-4000-8000-000000000000',
  '/api/me/resources',
  '/api/me/resources/',
  '/api/me/claim',
  '/api/me/token',
  '/api/me/plan',
  '/claim/preview?token=',
  '/healthz',
  '/readyz',
  '/openapi.json',
  '/mcp',
  '/',
]

const printable = fc.string({ unit: 'binary-ascii', maxLength: 30 }).map(text => text.replace(/[^!-~]/g, '%'))
const path = fc.oneof(
  fc.constantFrom(...PATHS),
  fc.tuple(fc.constantFrom(...PATHS), printable).map(parts => parts.join('')),
  printable.map(text => `/${text}`),
  fc.constantFrom(
    '*',
    '//',
    '/..//../etc/passwd',
    '/%00',
    '/%2F%2e%2e',
    'http://localhost/db/new',
    '/db/new/',
    '/db//new',
  ),
)
const method = fc.constantFrom(
  'GET',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'HEAD',
  'OPTIONS',
  'PROPFIND',
  'TRACE',
  'FROB',
  'get',
)
const header = fc.oneof(
  fc.constantFrom(
    `Authorization: Bearer ${PAID}`,
    `Authorization: Bearer ${FREE}`,
    'Authorization: Bearer ',
    'Authorization: Bearer a.b.c',
    'Authorization: Bearer eyJhbGciOiJub25lIn0.e30.',
    'Cookie: session=a.b.c',
    'Cookie: session=; session=%',
    'X-Forwarded-For: ,,nonsense,',
    'Content-Type: text/html',
    'Origin: null',
    'Origin: http://localhost:3000',
    'Expect: 100-continue',
    'Content-Encoding: gzip',
  ),
  printable.map(value => `X-Thing: ${value}`),
)
const body = fc.oneof(
  fc.uint8Array({ maxLength: 200 }).map(bytes => Buffer.from(bytes)),
  fc.json({ maxDepth: 3 }).map(text => Buffer.from(text)),
  fc
    .record({ name: fc.anything(), token: fc.anything() })
    .map(value => Buffer.from(JSON.stringify(value) ?? '')),
)

/** All that a socket answers to those bytes, to its end. */
function exchange(url: string, bytes: Buffer): Promise<string> {
  const { hostname, port } = new URL(url)
  return new Promise(resolve => {
    let answer = ''
    const socket = connect(Number(port), hostname, () => socket.write(bytes))
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString('latin1')
    })
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(answer))
  })
}

// fidelity instanode/headers, differs: Nothing is published about hostile bytes. Here: No request gets a 5xx,
// a page or a stack, so that each client gets a clear error.
test.prop(
  [
    fc.array(fc.tuple(method, path, fc.array(header, { maxLength: 3 }), body), {
      minLength: 1,
      maxLength: 20,
    }),
  ],
  {
    numRuns: 60,
  },
)('no request over HTTP gets a 5xx, a page or a stack', async requests => {
  const { url } = await startInstanode()
  for (const [method, path, headers, body] of requests) {
    const head = [
      `${method} ${path} HTTP/1.1`,
      'Host: localhost',
      'Connection: close',
      `Content-Length: ${body.length}`,
      ...headers,
    ]
    const answer = await exchange(url, Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]))
    expect(answer).toMatch(/^HTTP\/1\.1 [1234]\d\d /)
    expect(answer).not.toMatch(/^HTTP\/1\.1 5|<html|<!doctype|\n\s+at |node:internal/im)
  }
  expect((await send(`${url}/healthz`, { method: 'GET' })).status).toBe(200)
})
