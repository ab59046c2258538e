import { expect } from 'vitest'
import type { z } from 'zod'
import { provisionedDatabase, provisionedReceiver } from '../../../servers/instanode/http/schemas.js'
import { FREE, PAID } from '../../support/servers/instanode.js'
import type { Case } from './case.js'
import { make, type World } from './world.js'

const MIB = 1024 * 1024

/** `POST /db/new` and `POST /webhook/new`: the same but for what they make. */
export const provision: Case[] = [
  ...both(
    '/db/new',
    provisionedDatabase,
    { storage_mb: 10, connections: 2 },
    { storage_mb: 500, connections: 5 },
  ),
  ...both('/webhook/new', provisionedReceiver, { requests_stored: 100 }, { requests_stored: 1000 }),
  // fidelity instanode/http, same: A database that cannot be made gets 503 `provision_failed`.
  {
    what: 'a database that cannot be made',
    request: 'POST /db/new',
    body: { name: 'x' },
    async before({ databases }) {
      databases.failing.provision = new Error('no more disk')
    },
    status: 503,
    error: 'provision_failed',
  },
]

function both(
  path: '/db/new' | '/webhook/new',
  answer: z.ZodType,
  limits: Record<string, number>,
  paidLimits: Record<string, number>,
): Case[] {
  const request = `POST ${path}`
  const refused = { request, status: 400, error: 'name_required' }
  const created = { request, status: 201, answer }
  const useUpCap = async ({ url }: World) => {
    for (let nth = 1; nth <= 5; nth++) await make(url, path, { from: {} })
  }
  const named = (what: string, body: unknown, name: string): Case => ({
    what,
    ...created,
    body,
    has: { name },
  })
  const unnamed = (what: string, body: unknown): Case => ({ what, ...refused, body })
  const anonymous = { tier: 'anonymous', limits: { ...limits, expires_in: '24h' } }
  return [
    // fidelity instanode/ids, same: `id` and `token` are UUIDs.
    // fidelity instanode/http, same: `POST /db/new` and `POST /webhook/new` answer 201 with the fields of the
    // service and the anonymous limits.
    { what: 'a name', ...created, body: { name: 'orders' }, has: { ...anonymous, name: 'orders' } },
    // fidelity instanode/http, same: A resource of a paid account has no `expires_at`.
    {
      what: 'a paid account',
      ...created,
      ...{ under: 'documented', as: PAID, body: { name: 'x' } },
      has: { tier: 'paid', limits: paidLimits, expires_at: undefined },
    },
    {
      what: 'a paid account',
      ...created,
      ...{ under: 'observed', as: PAID, body: { name: 'x' } },
      has: { tier: 'paid', limits, expires_at: undefined },
    },
    // fidelity instanode/tiers, same: `limits.expires_in` is `24h` for a free account.
    { what: 'a free account', ...created, as: FREE, body: { name: 'x' }, has: anonymous },
    // fidelity instanode/contracts, same: Under `documented`, a creation with a bad bearer gets 401.
    {
      what: 'a bad bearer',
      under: 'documented',
      request,
      as: 'no',
      body: { name: 'x' },
      status: 401,
      error: 'unauthorized',
    },
    { what: 'a bad bearer', under: 'observed', ...created, as: 'no', body: { name: 'x' }, has: anonymous },
    // fidelity instanode/http, same: The name is checked before the bearer.
    { what: 'a bad bearer and a bad name', ...refused, as: 'no', body: {} },
    {
      what: 'a bearer in another spelling, which is none',
      ...{ ...created, body: { name: 'x' }, headers: { authorization: `bearer ${PAID}` } },
      has: anonymous,
    },
    // fidelity instanode/contracts, same: Under `documented`, the sixth anonymous provision of a day gets
    // 429.
    {
      what: 'the sixth of a day',
      ...{ under: 'documented', request, body: { name: 'x' }, before: useUpCap },
      ...{ status: 429, error: 'rate_limited', has: { message: expect.stringContaining('5/day') } },
    },
    // fidelity instanode/http, same: Under `observed`, an answer over the cap has no `name` and no
    // `expires_at`.
    {
      what: 'the sixth of a day',
      ...{ under: 'observed', request, body: { name: 'x' }, before: useUpCap, status: 200, answer },
      has: { ...anonymous, name: undefined, expires_at: undefined },
    },
    // fidelity instanode/contracts, same: Under `observed`, the sixth provision gets 429 if the subnet has no
    // resource of that type.
    {
      what: 'the sixth of a day, without a resource to return',
      ...{ under: 'observed', request, body: { name: 'x' } },
      before: async ({ url }) => {
        const other = path === '/db/new' ? '/webhook/new' : '/db/new'
        for (let nth = 1; nth <= 5; nth++) await make(url, other, { from: {} })
      },
      ...{ status: 429, error: 'rate_limited' },
    },
    named('64 bytes', { name: 'x'.repeat(64) }, 'x'.repeat(64)),
    named('64 bytes between spaces', { name: ` \u00a0${'x'.repeat(64)}\n` }, 'x'.repeat(64)),
    named('32 letters of two bytes', { name: 'é'.repeat(32) }, 'é'.repeat(32)),
    named('markup, quotes and an emoji', { name: '<b>"🎭"&' }, '<b>"🎭"&'),
    named('a key in capitals', '{"NAME":"x"}', 'x'),
    named('a key twice', '{"name":"a","Name":"b","name":"c"}', 'c'),
    // fidelity instanode/names, same: Keys match in any case, and the last one counts.
    named('a key twice, last in capitals', '{"name":"a","name":"b","NAME":"c"}', 'c'),
    named('a second key that is no text', '{"name":"a","name":7}', 'a'),
    named('null behind a name', '{"name":"a","name":null}', 'a'),
    // fidelity instanode/names, same: Text after the first JSON value is ignored.
    named('more than one JSON value', '{"name":"a"}{"name":"b"}garbage', 'a'),
    // fidelity instanode/names, same: Unknown keys are ignored.
    named('unknown keys', '{"x":{"name":"no"},"name":"a","y":[1,"]}"]}', 'a'),
    named('escapes in the key', '{"n\\u0061me":"a"}', 'a'),
    named('a lone surrogate', '{"name":"a\\ud800"}', 'a\ufffd'),
    // fidelity instanode/names, same: Bytes that are not UTF-8 become U+FFFD.
    named('bytes that are not UTF-8', Buffer.from('{"name":"a\xe2\x82"}', 'latin1'), 'a\ufffd\ufffd'),
    // fidelity instanode/names, same: The name does not depend on the content type.
    named('another content type', '{"name":"a"}', 'a'),
    // fidelity instanode/names, same: A body may have 1 MiB.
    named('a body of exactly 1 MiB', `{"name":"a"}${' '.repeat(MIB - 12)}`, 'a'),
    unnamed('no body', undefined),
    unnamed('no JSON', 'name=x'),
    // fidelity instanode/names, same: A body that cannot be decoded has an empty name.
    unnamed('truncated JSON', '{"name":"x"'),
    unnamed('JSON with a comma too many', '{"name":"x",}'),
    unnamed('null', 'null'),
    unnamed('an array', '["name"]'),
    unnamed('a text', '"name"'),
    unnamed('a number', '7'),
    unnamed('an empty object', '{}'),
    unnamed('a name that is a number', '{"name":7}'),
    unnamed('a name that is null', '{"name":null}'),
    unnamed('a name that is an object', '{"name":{}}'),
    unnamed('an empty name', '{"name":""}'),
    unnamed('a name of spaces', '{"name":" \\u00a0\\u3000"}'),
    // fidelity instanode/names, same: A name has at most 64 bytes.
    unnamed('65 bytes', { name: 'x'.repeat(65) }),
    // fidelity instanode/names, same: The length of a name is counted in bytes of UTF-8.
    unnamed('33 letters of two bytes', { name: 'é'.repeat(33) }),
    unnamed(
      '22 bytes that are no UTF-8, each of which becomes three',
      Buffer.from(`{"name":"${'\xff'.repeat(22)}"}`, 'latin1'),
    ),
    unnamed('a NUL', '{"name":"a\\u0000"}'),
    unnamed('a line feed', '{"name":"a\\nb"}'),
    unnamed('a DEL', '{"name":"a\\u007f"}'),
    unnamed('a byte order mark', '\ufeff{"name":"x"}'),
    unnamed(
      'arrays in arrays, 100,000 deep',
      `{"x":${'['.repeat(100_000)}${']'.repeat(100_000)},"name":"x"}`,
    ),
    // fidelity instanode/names, same: A body of more than 1 MiB counts as empty and closes the connection.
    {
      ...unnamed('one byte more than 1 MiB', `{"name":"a"}${' '.repeat(MIB - 11)}`),
      answers: { connection: 'close' },
    },
    { what: 'GET', request: `GET ${path}`, status: 404, text: '404 page not found\n' },
    {
      ...{ what: 'PUT', request: `PUT ${path}`, body: { name: 'x' }, status: 405 },
      ...{ text: 'Method Not Allowed\n', answers: { allow: 'GET, HEAD, POST' } },
    },
  ]
}
