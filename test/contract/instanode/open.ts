import { FOR_MODELS } from '../../../servers/instanode/http/index.js'
import * as schema from '../../../servers/instanode/http/schemas.js'
import type { Case } from './case.js'
import type { World } from './world.js'

const NOBODYS = '00000000-0000-4000-8000-000000000000'
const preview = (which: 'hook' | 'own' | 'database' | 'deleted' | 'expired') => (world: World) =>
  `GET /claim/preview?token=${world[which]}`

/** Requests that need no account, and requests for resources that do not exist. */
export const open: Case[] = [
  // fidelity instanode/http, same: `/claim/preview` answers 200 with the fields of the service.
  {
    ...{ what: 'preview', request: preview('hook'), status: 200, answer: schema.previewed },
    has: { already_claimed: false, expires_in_seconds: 86_400, tier: 'anonymous' },
  },
  // fidelity instanode/http, same: `/claim/preview` of a paid resource has no expiry.
  {
    ...{
      what: 'preview of a claimed resource',
      request: preview('own'),
      status: 200,
      answer: schema.previewed,
    },
    has: { already_claimed: true, expires_at: undefined, expires_in_seconds: undefined },
  },
  // fidelity instanode/http, same: `/claim/preview` without a token gets 400.
  { what: 'preview without a token', request: 'GET /claim/preview', status: 400, error: 'missing_token' },
  {
    what: 'preview of an empty token',
    request: 'GET /claim/preview?token=',
    status: 400,
    error: 'missing_token',
  },
  { what: 'preview: no UUID', request: 'GET /claim/preview?token=abc', status: 400, error: 'invalid_token' },
  // fidelity instanode/http, same: `/claim/preview` of an unknown token gets 404.
  {
    what: 'preview: unknown',
    request: `GET /claim/preview?token=${NOBODYS}`,
    status: 404,
    error: 'not_found',
  },
  { what: 'preview: deleted', request: preview('deleted'), status: 410, error: 'resource_expired' },
  // fidelity instanode/http, same: `/claim/preview` of an expired resource gets 410.
  { what: 'preview: expired', request: preview('expired'), status: 410, error: 'resource_expired' },

  // fidelity instanode/http, same: `/healthz` answers 200 with the fields of the service.
  { what: 'health', request: 'GET /healthz', status: 200, answer: schema.health },
  { what: 'health', request: 'HEAD /healthz', status: 200, text: '' },
  { what: 'readiness', request: 'GET /readyz', status: 200, answer: schema.readiness, has: { ok: true } },
  // fidelity instanode/http, same: `/readyz` has three checks. A failed one gets 503 with
  // `<component>_ping_failed`.
  {
    ...{ what: 'readiness without databases', request: 'GET /readyz', status: 503, answer: schema.readiness },
    async before({ databases }) {
      databases.failing.ready = new Error('down')
    },
    has: { ok: false, error: 'customer_db_ping_failed', checks: expectChecks('ping_failed') },
  },
  // fidelity instanode/http, same: `/` gets 302 to the site.
  {
    what: 'the site',
    request: 'GET /',
    status: 302,
    text: '',
    answers: { location: 'https://instanode.dev/' },
  },
  // fidelity instanode/http, same: `/start` gets 302 to the site.
  {
    ...{ what: 'the start page', request: 'GET /start?token=7', status: 302, text: '' },
    answers: { location: 'https://instanode.dev/start?token=7' },
  },

  // fidelity instanode/http, differs: `/llms.txt` is the service's own text. Here: It is another text,
  // because the project does not copy texts.
  { what: 'the text for language models', request: 'GET /llms.txt', status: 200, text: `${FOR_MODELS}\n` },
  ...[
    'GET /auth/me',
    'GET /auth/github/login',
    'GET /auth/github/callback',
    `GET /webhook/${NOBODYS}/requests`,
    `GET /api/v1/webhooks/${NOBODYS}/requests`,
  ].map(
    // fidelity instanode/http, absent: A later generation of the service has `GET
    // /api/v1/webhooks/:token/requests`. Here: It gets 404, because the stand-in follows the generation of
    // April 2026.
    // fidelity instanode/auth, absent: `GET /auth/me` and the sign-in routes set the cookie `session`. Here:
    // They get 404, because a stand-in has no sign-in.
    (request): Case => ({
      what: 'a route that the stand-in does not have',
      request,
      status: 404,
      text: '404 page not found\n',
    }),
  ),
  ...[
    'POST /auth/logout',
    'POST /billing/create-order',
    'POST /billing/migrate?token=7',
    'POST /webhooks/razorpay',
  ].map(
    // fidelity instanode/http, absent: The service has routes for sign-out, payments and payment webhooks.
    // Here: They get 405, because a stand-in takes no money.
    (request): Case => ({
      what: 'a route that the stand-in does not have',
      request,
      status: 405,
      text: 'Method Not Allowed\n',
    }),
  ),
  ...[
    'GET /nowhere',
    'GET //healthz',
    'GET /healthz/',
    'GET /API/me/plan',
    'GET /api/me/resources/abc',
    'HEAD /nowhere',
  ].map(
    (request): Case => ({
      // fidelity instanode/http, same: GET on an unknown route gets 404 in plain text.
      ...{ what: 'an unknown route', request, status: 404 },
      text: request.startsWith('HEAD') ? '' : '404 page not found\n',
    }),
  ),
  { what: 'half an escape', request: 'GET /%zz', status: 400, text: '400 Bad Request\n' },
  ...[
    ['POST /cache/new', 'GET, HEAD'],
    ['POST /', 'GET, HEAD'],
    ['POST /healthz', 'GET, HEAD'],
    ['DELETE /api/me/claim', 'GET, HEAD, POST'],
    ['PATCH /api/me/resources/abc', 'DELETE, GET, HEAD'],
  ].map(
    ([request = '', allow = '']): Case => ({
      // fidelity instanode/http, same: Another method gets 405 in plain text, with `Allow`.
      ...{
        what: 'an unknown method',
        request,
        status: 405,
        text: 'Method Not Allowed\n',
        answers: { allow },
      },
    }),
  ),
  ...['OPTIONS /nowhere', 'OPTIONS /db/new', 'OPTIONS /api/me/resources'].map(
    // fidelity instanode/headers, same: OPTIONS on any path gets 200.
    (request): Case => ({ what: 'a preflight request of a browser', request, status: 200, text: '' }),
  ),

  ...['https://instanode.dev', 'http://localhost:5173', 'http://localhost:3000'].map(
    (origin): Case => ({
      // fidelity instanode/headers, same: Three origins are echoed, with credentials.
      ...{ what: `a page of ${origin}`, request: 'GET /healthz', headers: { origin }, status: 200 },
      answers: {
        'access-control-allow-origin': origin,
        'access-control-allow-credentials': 'true',
        vary: 'Origin',
      },
    }),
  ),
  // fidelity instanode/headers, same: Another origin that is served gets no CORS header.
  {
    what: 'a page of another port of this machine',
    ...{ request: 'GET /healthz', headers: { origin: 'http://localhost:8080' }, status: 200 },
    answers: { 'access-control-allow-origin': null, 'access-control-allow-credentials': null },
  },
  ...['https://evil.invalid', 'https://instanode.dev.evil.invalid', 'http://instanode.dev', 'null'].map(
    (origin): Case => ({
      // fidelity instanode/headers, differs: Other origins are served. Here: They get 403, because the
      // stand-in listens on a developer's machine.
      ...{ what: `a page of ${origin}`, request: 'GET /healthz', headers: { origin }, status: 403 },
      ...{ error: 'forbidden', answers: { 'access-control-allow-origin': null } },
    }),
  ),
  // fidelity instanode/headers, differs: Any `Host` is served. Here: Another host gets 403, because the
  // stand-in listens on a developer's machine.
  {
    ...{ what: 'another host', request: 'GET /healthz', headers: { host: 'evil.invalid' }, status: 403 },
    error: 'forbidden',
  },
]

function expectChecks(database: 'ok' | 'ping_failed') {
  return { customer_db: database, platform_db: 'ok', redis: 'ok' }
}
