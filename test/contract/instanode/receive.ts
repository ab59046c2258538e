import { deliveryLog, taken } from '../../../servers/instanode/http/schemas.js'
import type { Case } from './case.js'
import type { World } from './world.js'

const MIB = 1024 * 1024
const NOBODYS = '00000000-0000-4000-8000-000000000000'

const at = (method: string, which: 'hook' | 'database' | 'deleted' | 'expired') => (world: World) =>
  `${method} /webhook/receive/${world[which]}`

/** `/webhook/receive/:token`. Its errors have no message, save one. */
export const receive: Case[] = [
  // fidelity instanode/http, same: A delivery gets 200 with a new id.
  { what: 'a delivery', request: at('POST', 'hook'), body: 'x', status: 200, answer: taken },
  { what: 'an empty delivery', request: at('POST', 'hook'), status: 200, answer: taken },
  { what: 'binary', request: at('POST', 'hook'), body: Buffer.from([0, 255]), status: 200, answer: taken },
  { what: 'a mebibyte', request: at('POST', 'hook'), body: 'x'.repeat(MIB), status: 200, answer: taken },
  // fidelity instanode/http, same: A delivery of more than 1,048,576 bytes gets 413 and closes the
  // connection.
  {
    ...{
      what: 'one byte more than 1 MiB',
      request: at('POST', 'hook'),
      body: 'x'.repeat(MIB + 1),
      status: 413,
    },
    ...{ error: 'payload_too_large', answers: { connection: 'close' } },
  },
  // fidelity instanode/contracts, same: Under `documented`, GET on a receive URL reads the log back.
  {
    ...{ what: 'the log', under: 'documented', request: at('GET', 'hook'), status: 200 },
    ...{ answer: deliveryLog, has: { requests: [], total: 0 } },
  },
  { what: 'GET', under: 'observed', request: at('GET', 'hook'), status: 200, answer: taken },
  { what: 'HEAD', request: at('HEAD', 'hook'), status: 200, text: '' },
  ...['PUT', 'PATCH', 'DELETE'].flatMap((method): Case[] => [
    { what: method, under: 'documented', request: at(method, 'hook'), status: 200, answer: taken },
    {
      ...{ what: method, under: 'observed', request: at(method, 'hook'), status: 405 },
      ...{ text: 'Method Not Allowed\n', answers: { allow: 'GET, HEAD, POST' } },
    },
  ]),
  // fidelity instanode/headers, differs: OPTIONS is answered 200 on any path. Here: On a receiver it is a
  // delivery under `documented`, because a receiver takes any method.
  { what: 'OPTIONS', under: 'documented', request: at('OPTIONS', 'hook'), status: 200, answer: taken },
  { what: 'OPTIONS', under: 'observed', request: at('OPTIONS', 'hook'), status: 200, text: '' },
  // fidelity instanode/headers, same: OPTIONS of a browser that asks first is no delivery.
  {
    what: 'a preflight request of a browser',
    ...{ request: at('OPTIONS', 'hook'), headers: { 'access-control-request-method': 'POST' } },
    ...{ status: 200, text: '' },
  },
  ...['POST', 'GET'].flatMap((method): Case[] => [
    // fidelity instanode/http, same: A receive URL without a UUID gets 400.
    {
      what: 'a token that is not a UUID',
      request: `${method} /webhook/receive/abc`,
      status: 400,
      error: 'invalid_token',
    },
    {
      what: 'an encoded slash',
      request: `${method} /webhook/receive/a%2Fb`,
      status: 400,
      error: 'invalid_token',
    },
    // fidelity instanode/http, same: An unknown receiver gets 404.
    {
      what: 'an unknown token',
      request: `${method} /webhook/receive/${NOBODYS}`,
      status: 404,
      error: 'not_found',
    },
    // fidelity instanode/http, same: The token of a database is no receiver and gets 404.
    { what: 'the token of a database', request: at(method, 'database'), status: 404, error: 'not_found' },
    { what: 'a deleted receiver', request: at(method, 'deleted'), status: 410, error: 'webhook_inactive' },
    // fidelity instanode/http, same: An expired receiver gets 410.
    { what: 'an expired receiver', request: at(method, 'expired'), status: 410, error: 'webhook_inactive' },
    {
      what: 'half an escape',
      request: `${method} /webhook/receive/%E0%A`,
      status: 400,
      text: '400 Bad Request\n',
    },
  ]),
  {
    ...{
      what: 'too much for an unknown token',
      request: `POST /webhook/receive/${NOBODYS}`,
      body: 'x'.repeat(MIB + 1),
    },
    ...{ status: 404, error: 'not_found' },
  },
]
