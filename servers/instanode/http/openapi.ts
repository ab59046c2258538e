import { z } from 'zod'
import {
  createDocument,
  type ZodOpenApiOperationObject,
  type ZodOpenApiPathsObject,
  type ZodOpenApiResponsesObject,
} from 'zod-openapi'
import type { Contract } from '../contract.js'
import * as schema from './schemas.js'

/** What a caller may prove itself with. */
const ACCOUNT = [{ bearerAuth: [] }, { sessionCookie: [] }]
const ANYONE = [{}, ...ACCOUNT]

/** The service calls its API that. */
const API_VERSION = '0.1.0'

const TOKEN_PARAMETER = { path: z.object({ token: z.string().describe('The token of a resource, a UUID') }) }

/** The API as an OpenAPI document, from the same schemas that its answers are tested against. */
export function openApi(contract: Contract, url: string): ReturnType<typeof createDocument> {
  return createDocument({
    openapi: '3.1.0',
    info: {
      title: 'Instanode (a local stand-in)',
      version: API_VERSION,
      description: 'Postgres databases and webhook receivers for agents.',
    },
    servers: [{ url }],
    paths: { ...resources(contract), ...account(contract), ...receivers(contract), ...service() },
    components: {
      securitySchemes: {
        bearerAuth: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
        sessionCookie: { type: 'apiKey', in: 'cookie', name: 'session' },
      },
    },
  })
}

function resources(contract: Contract): ZodOpenApiPathsObject {
  const create = (
    what: string,
    made: z.ZodType,
    refusals: readonly (keyof typeof WHY)[],
  ): ZodOpenApiOperationObject => ({
    summary: `Create ${what}`,
    security: ANYONE,
    requestBody: { required: true, content: json(schema.provisionRequest) },
    responses: {
      ...(contract.returnsExistingOverCap && answers(200, 'An existing one, for the cap is used up', made)),
      ...answers(201, 'A new one', made),
      ...errors(...refusals),
      ...answers(429, 'The day’s cap is used up', schema.rateLimitedError),
    },
  })
  const refusals = contract.refusesInvalidBearer ? ([400, 401, 503] as const) : ([400, 503] as const)
  return {
    '/db/new': { post: create('a database', schema.provisionedDatabase, refusals) },
    '/webhook/new': { post: create('a receiver', schema.provisionedReceiver, refusals) },
    '/claim/preview': {
      get: {
        summary: 'What a claim would get',
        requestParams: { query: TOKEN_PARAMETER.path },
        responses: { ...answers(200, 'The resource', schema.previewed), ...errors(400, 404, 410) },
      },
    },
  }
}

function account(contract: Contract): ZodOpenApiPathsObject {
  const list = contract.namesResourceType ? schema.resourceList : schema.resourceList.nullable()
  return {
    '/api/me/resources': {
      get: {
        summary: 'What the account owns',
        security: ACCOUNT,
        responses: { ...answers(200, 'The last created first', list), ...errors(401) },
      },
    },
    '/api/me/resources/{token}': {
      delete: {
        summary: 'End a resource, for good',
        security: ACCOUNT,
        requestParams: TOKEN_PARAMETER,
        responses: {
          ...answers(contract.reapsAtOnce ? 200 : 202, 'It has ended', schema.removed),
          ...errors(400, 401, 403, 404, 503),
        },
      },
    },
    '/api/me/claim': {
      post: {
        summary: 'Own a resource',
        security: ACCOUNT,
        requestBody: { required: true, content: json(schema.tokenRequest) },
        responses: { ...answers(200, 'It is the account’s', schema.claimed), ...errors(400, 401, 404, 410) },
      },
    },
    '/api/me/token': {
      get: {
        summary: 'Mint a token for the account',
        security: ACCOUNT,
        responses: { ...answers(200, 'A new token', schema.minted), ...errors(401) },
      },
    },
    '/api/me/plan': {
      get: {
        summary: 'The plan of the account',
        security: ACCOUNT,
        responses: { ...answers(200, 'The plan', schema.plan), ...errors(401) },
      },
    },
  }
}

function receivers(contract: Contract): ZodOpenApiPathsObject {
  const refusals = errors(400, 404, 410, 413, 503)
  const deliver: ZodOpenApiOperationObject = {
    summary: 'Deliver something',
    requestParams: TOKEN_PARAMETER,
    responses: { ...answers(200, 'It is kept', schema.taken), ...refusals },
  }
  const readBack: ZodOpenApiOperationObject = {
    summary: 'Read back what was delivered',
    requestParams: TOKEN_PARAMETER,
    responses: { ...answers(200, 'The newest first', schema.deliveryLog), ...refusals },
  }
  return {
    '/webhook/receive/{token}': { get: contract.readsBackOnGet ? readBack : deliver, post: deliver },
  }
}

function service(): ZodOpenApiPathsObject {
  const text = (summary: string, type: string): ZodOpenApiOperationObject => ({
    summary,
    responses: { 200: { description: 'It', content: { [type]: {} } } },
  })
  const redirect = (page: string): ZodOpenApiOperationObject => ({
    summary: `To the site: ${page}`,
    responses: { 302: { description: 'There' } },
  })
  return {
    '/healthz': {
      get: { summary: 'Is there a process?', responses: answers(200, 'Yes', schema.health) },
    },
    '/readyz': {
      get: {
        summary: 'Could it do its work?',
        responses: { ...answers(200, 'Yes', schema.readiness), ...answers(503, 'No', schema.readiness) },
      },
    },
    '/openapi.json': { get: text('This document', 'application/json') },
    '/llms.txt': { get: text('The API in a few words', 'text/plain') },
    '/': { get: redirect('home') },
    '/start': { get: redirect('start') },
    '/dashboard': { get: redirect('dashboard') },
    '/pricing': { get: redirect('pricing') },
  }
}

/** The statuses that are refusals, and why. */
const WHY = {
  400: 'Something in the request is not in order',
  401: 'No account: missing, malformed, expired and forged credentials are one',
  403: 'For paid accounts only',
  404: 'There is no such thing, or not on this account',
  410: 'It has ended',
  413: 'Too large',
  503: 'It could not be done now, and nothing is left of it',
} as const

function errors(...statuses: (keyof typeof WHY)[]): ZodOpenApiResponsesObject {
  return Object.assign({}, ...statuses.map(status => answers(status, WHY[status], schema.failed)))
}

function answers(
  status: 200 | 201 | 202 | 429 | keyof typeof WHY,
  description: string,
  body: z.ZodType,
): ZodOpenApiResponsesObject {
  const responses: ZodOpenApiResponsesObject = {}
  responses[`${status}`] = { description, content: json(body) }
  return responses
}

function json(body: z.ZodType) {
  return { 'application/json': { schema: body } }
}
