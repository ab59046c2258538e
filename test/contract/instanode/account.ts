import { expect } from 'vitest'
import * as schema from '../../../servers/instanode/http/schemas.js'
import { FREE, PAID, PAID_2 } from '../../support/servers/instanode.js'
import type { Case } from './case.js'
import type { World } from './world.js'

const NOBODYS = '00000000-0000-4000-8000-000000000000'

const claim = 'POST /api/me/claim'
const tokenOf = (which: keyof World) => (world: World) => ({ token: world[which] })
const ending = (which: 'own' | 'free' | 'foreign' | 'hook' | 'deleted' | 'expired') => (world: World) =>
  `DELETE /api/me/resources/${world[which]}`
const invalidBody = (what: string, body?: unknown): Case => ({
  ...{ what: `claim: ${what}`, request: claim, as: PAID, body, status: 400, error: 'invalid_body' },
})
const invalidToken = (what: string, body: unknown): Case => ({
  ...{ what: `claim: ${what}`, request: claim, as: PAID, body, status: 400, error: 'invalid_token' },
})

const unauthorized = [
  'GET /api/me/resources',
  claim,
  'DELETE /api/me/resources/abc',
  'GET /api/me/token',
  'GET /api/me/plan',
].flatMap((request): Case[] =>
  [
    // fidelity instanode/claim, same: A claim without an account gets 401 before its body is read.
    // fidelity instanode/delete, same: A deletion without an account gets 401 before its token is checked.
    // fidelity instanode/auth, same: A 401 has no `WWW-Authenticate`.
    { what: 'no credentials' },
    { what: 'a bad bearer', as: 'no' },
    { what: 'a bearer in another spelling', headers: { authorization: `bearer ${PAID}` } },
    // fidelity instanode/auth, same: `Bearer ` has exactly this spelling, with one space.
    { what: 'two spaces', headers: { authorization: `Bearer  ${PAID}` } },
    { what: 'a bad cookie', headers: { cookie: 'session=no' } },
    { what: 'a cookie of another name', headers: { cookie: `mysession=${PAID}` } },
  ].map(credentials => ({
    ...{ request, status: 401, error: 'unauthorized', body: undefined, ...credentials },
    answers: { 'www-authenticate': null },
  })),
)

/** Requests that need an account. */
export const account: Case[] = [
  ...unauthorized,

  // fidelity instanode/list, same: The content type of the list has no charset.
  {
    ...{ what: 'list', request: 'GET /api/me/resources', as: PAID, status: 200, answer: schema.resourceList },
    answers: { 'content-type': 'application/json' },
  },
  // fidelity instanode/auth, same: The cookie `session` is a credential.
  {
    ...{ what: 'a cookie', request: 'GET /api/me/resources', headers: { cookie: `a=b; session=${PAID}` } },
    ...{ status: 200, answer: schema.resourceList },
  },
  // fidelity instanode/auth, same: A bad cookie is ignored if the bearer is good.
  {
    what: 'a bad cookie beside a good bearer',
    ...{ request: 'GET /api/me/resources', as: PAID, headers: { cookie: 'session=no' } },
    ...{ status: 200, answer: schema.resourceList },
  },
  // fidelity instanode/auth, same: A good cookie counts before the bearer.
  {
    what: 'a good cookie beside another bearer: the cookie counts',
    ...{ request: 'GET /api/me/plan', as: PAID, headers: { cookie: `session=${FREE}` } },
    ...{ status: 200, answer: schema.accountPlan, has: { plan_tier: 'free' } },
  },

  // fidelity instanode/claim, same: The answer to a claim has `resource_type`.
  {
    ...{ what: 'claim by a paid account', request: claim, as: PAID, body: tokenOf('hook'), status: 200 },
    ...{ answer: schema.claimed, has: { tier: 'paid', resource_type: 'webhook' } },
  },
  {
    ...{ what: 'claim by a free account', request: claim, as: FREE, body: tokenOf('database'), status: 200 },
    ...{ answer: schema.claimed, has: { tier: 'anonymous', resource_type: 'postgres' } },
  },
  {
    what: 'claim again',
    request: claim,
    as: PAID,
    body: tokenOf('own'),
    status: 200,
    answer: schema.claimed,
  },
  {
    what: 'claim in capitals, with spaces',
    ...{ request: claim, as: PAID, status: 200, answer: schema.claimed },
    body: ({ hook }: World) => ({ TOKEN: ` ${hook.toUpperCase()}\u0085` }),
  },
  {
    what: 'claim with a Kelvin sign, which Go takes for a k',
    ...{ request: claim, as: PAID, status: 200, answer: schema.claimed },
    body: ({ hook }: World) => `{"to\u212aen":"${hook}"}`,
  },
  invalidBody('no body'),
  invalidBody('no JSON', 'token=x'),
  invalidBody('truncated', '{"token":"x"'),
  invalidBody('an array', '[]'),
  invalidBody('a text', '"x"'),
  invalidBody('a number', '7'),
  invalidBody('true', 'true'),
  invalidBody('a token that is a number', '{"token":7}'),
  invalidBody('a token that is an array', '{"token":[]}'),
  // fidelity instanode/claim, same: A claim whose body cannot be decoded gets 400 `invalid_body`.
  invalidBody('a text and then a number', '{"token":"x","token":7}'),
  invalidBody('more than a mebibyte', { token: 'x'.repeat(1024 * 1024) }),
  invalidToken('null', 'null'),
  invalidToken('an empty object', '{}'),
  // fidelity instanode/claim, same: A claim with the token null gets 400 `invalid_token`.
  invalidToken('a token that is null', '{"token":null}'),
  invalidToken('a token that is empty', '{"token":""}'),
  invalidToken('no UUID', '{"token":"abc"}'),
  {
    what: 'claim: unknown',
    request: claim,
    as: PAID,
    body: { token: NOBODYS },
    status: 404,
    error: 'not_found',
  },
  // fidelity instanode/claim, same: A claim of a foreign resource gets 404.
  {
    what: 'claim: foreign',
    request: claim,
    as: PAID,
    body: tokenOf('foreign'),
    status: 404,
    error: 'not_found',
  },
  ...(['deleted', 'expired'] as const).map(
    (which): Case => ({
      ...{ what: `claim: ${which}`, request: claim, as: PAID, body: tokenOf(which), status: 410 },
      error: 'resource_expired',
    }),
  ),
  // fidelity instanode/claim, same: A claim that cannot be written gets 500 `internal_error`.
  {
    what: 'claim: a database whose limits cannot be raised',
    ...{ under: 'documented', request: claim, as: PAID, body: tokenOf('database') },
    async before({ databases }) {
      databases.failing.setLimits = new Error('down')
    },
    ...{ status: 500, error: 'internal_error' },
  },

  // fidelity instanode/contracts, same: Under `documented`, a deletion gets 200.
  {
    ...{ what: 'delete', under: 'documented', request: ending('own'), as: PAID, status: 200 },
    ...{ answer: schema.removed, has: { status: 'deleted' } },
  },
  // fidelity instanode/contracts, same: Under `observed`, a deletion gets 202.
  {
    ...{ what: 'delete', under: 'observed', request: ending('own'), as: PAID, status: 202 },
    ...{ answer: schema.removed, has: { status: 'deleted', message: expect.stringContaining('5 minutes') } },
  },
  {
    what: 'delete: no UUID',
    request: 'DELETE /api/me/resources/abc',
    as: FREE,
    status: 400,
    error: 'invalid_token',
  },
  // fidelity instanode/delete, same: A deletion by a free account gets 403 with the upgrade link of the
  // resource.
  {
    ...{ what: 'delete by a free account', request: ending('free'), as: FREE, status: 403 },
    error: 'paid_tier_only',
    has: {
      upgrade_url: expect.stringMatching(/^https:\/\/instanode\.dev\/pricing\.html\?token=[0-9a-f-]{36}$/),
    },
  },
  ...(['foreign', 'hook', 'deleted', 'expired'] as const).map(
    (which): Case => ({
      // fidelity instanode/delete, same: A deletion of a resource that the account does not own gets 404.
      ...{ what: `delete: ${which}`, request: ending(which), as: PAID, status: 404, error: 'not_found' },
    }),
  ),
  { what: 'delete again', request: ending('deleted'), as: PAID_2, status: 404, error: 'not_found' },

  ...[FREE, PAID].map(
    (as): Case => ({
      // fidelity instanode/auth, same: Free and paid accounts can mint a token for 30 days.
      ...{ what: `mint as ${as}`, request: 'GET /api/me/token', as, status: 200, answer: schema.minted },
      has: { expires_in: 2_592_000 },
    }),
  ),
  // fidelity instanode/http, same: `/api/me/plan` answers with the fields of the service.
  {
    ...{
      what: 'plan of a paid account',
      request: 'GET /api/me/plan',
      as: PAID,
      status: 200,
      answer: schema.accountPlan,
    },
    has: { plan_tier: 'paid', plan_period: 'monthly', subscription_status: 'active', available_upgrades: [] },
  },
  // fidelity instanode/http, differs: The plan has the dates of payments. Here: The plan of a free account
  // has no dates, because an account here has a plan and no payments.
  {
    ...{
      what: 'plan of a free account',
      request: 'GET /api/me/plan',
      as: FREE,
      status: 200,
      answer: schema.accountPlan,
    },
    has: { plan_tier: 'free', plan_period: null, plan_paid_at: null, current_period_end: null },
  },
]
