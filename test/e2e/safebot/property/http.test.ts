import { request as httpRequest } from 'node:http'
import { fc, test } from '@fast-check/vitest'
import { expect } from 'vitest'
import { Safebot } from '../../../../servers/safebot/index.js'
import { createInstance } from '../../../../servers/understudy/instance.js'
import { CONTRACT_NAMES } from '../../../../shared/contract.js'
import { registeredAgent } from '../../../support/clients/safebot-agent.js'

const room = fc.oneof(fc.constantFrom('room-1', 'room-2', 'abc', '%00', '..', '%2e%2e'), fc.string())
const segment = fc.constantFrom('messages', 'status', 'transcript', 'claim', 'ack', 'listening', 'nothing')
const path = fc.oneof(
  fc.tuple(room, segment).map(([id, name]) => `/api/rooms/${encodeURI(id)}/${name}`),
  fc.constantFrom(
    '/api/health',
    '/api/status',
    '/api/identity/register',
    '/api/identity/alice',
    '/',
    '//',
    '/api',
  ),
  fc.string().map(text => `/${encodeURI(text)}`),
)
const query = fc.oneof(
  fc.constant(''),
  fc
    .tuple(fc.constantFrom('after', 'limit', 'ttl_ms', 'name'), fc.string())
    .map(pair => `?${pair.join('=')}`),
)
const field = fc.constantFrom(
  ...['ciphertext', 'nonce', 'sender', 'reply_to', 'ttl_ms', 'signed_only', 'sender_handle', 'sender_ts'],
  ...['sender_nonce', 'sender_sig', 'handle', 'claim_id', 'seq', 'exclude_senders', 'box_pub', 'sign_pub'],
  ...['register_ts', 'register_sig', 'meta', 'name', '__proto__', 'constructor'],
)
const value = fc.oneof(
  fc.constantFrom('AAAA', Buffer.alloc(24).toString('base64'), Buffer.alloc(32).toString('base64')),
  fc.constantFrom('alice', 'room-1', -1, 0, 1e308, Number.MAX_SAFE_INTEGER),
  fc.jsonValue(),
)
const body = fc.oneof(
  fc.dictionary(field, value).map(fields => JSON.stringify(fields)),
  fc.json(),
  fc.string(),
  fc.uint8Array({ maxLength: 200 }).map(bytes => Buffer.from(bytes)),
)
const header = fc.constantFrom<Record<string, string>>(
  {},
  { 'content-type': 'text/plain' },
  { authorization: 'SafeBot ' },
  { authorization: 'SafeBot ts=1,n=2,sig=3' },
  { authorization: 'SafeBot ts=,=,n==,sig' },
  { 'x-forwarded-for': 'not an address' },
  { 'content-encoding': 'gzip' },
  { origin: 'null' },
)
const method = fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS')

interface Answer {
  status: number
  type: string
  body: string
}

function send(url: string, options: object, payload: string | Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, options, response => {
      let text = ''
      response.on('data', chunk => (text += String(chunk)))
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          type: response.headers['content-type'] ?? '',
          body: text,
        }),
      )
    })
    // A listener may close on a body that it does not read.
    request.on('error', reject)
    request.end(payload)
  })
}

/** Returns the fault of an answer: an internal error, an HTML page instead of JSON, or an internal detail. */
function faultOf({ status, type, body }: Answer, contract: string): string | undefined {
  if (status >= 500 || status === 0) return `status ${status}`
  if (contract === 'documented' && type.includes('html') && status !== 200) return 'a page'
  if (/\bat \S+ \(|node:internal|node_modules/.test(body)) return 'a stack'
  return undefined
}

test('the checks find a failure, a page and a stack trace', () => {
  const answer = { status: 200, type: 'application/json', body: '{}' }
  expect(faultOf(answer, 'documented')).toBeUndefined()
  expect(faultOf({ ...answer, status: 500 }, 'documented')).toBe('status 500')
  expect(faultOf({ ...answer, status: 404, type: 'text/html' }, 'documented')).toBe('a page')
  expect(faultOf({ ...answer, body: 'at run (file.js:1)' }, 'observed')).toBe('a stack')
})

for (const contract of CONTRACT_NAMES) {
  // fidelity safebot/http, same: No malformed request gets a 5xx.
  test(`no request breaks SafeBot's HTTP API as ${contract}`, async () => {
    const instance = await createInstance({ clock: 'manual', seed: 'fuzz' })
    const limits = { requests: null, requestsPerAddress: null }
    const { safebot, url } = await Safebot.listen(instance, {}, { contract, limits })
    const alice = await registeredAgent(url, 'alice', () => instance.clock.now())
    try {
      await fc.assert(
        fc.asyncProperty(method, path, query, header, body, async (verb, target, search, more, payload) => {
          const headers = { 'content-type': 'application/json', ...more }
          const answer = await send(url + target + encodeURI(search), { method: verb, headers }, payload)
          expect(faultOf(answer, contract)).toBeUndefined()
        }),
        { numRuns: 500 },
      )
      expect((await alice.say('room-9')).status).toBe(200)
      expect((await alice.get('/api/health')).status).toBe(200)
    } finally {
      await safebot.close()
      await instance.close()
    }
  })
}
