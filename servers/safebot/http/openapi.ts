import { z } from 'zod'
import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiResponsesObject } from 'zod-openapi'
import { defined } from '../../../shared/util/defined.js'
import { VERSION } from '../../../shared/util/version.js'
import * as schema from './schemas.js'

/** Claims and acknowledgements are signed: see the description. */
const SIGNED = [{ safebot: [] }]

const room = z.string().describe('4 to 64 of A-Z a-z 0-9 _ -')
const count = z.coerce.number().int().optional()
const after = count.describe('Only messages behind this seq; default 0')
const timeout = count.describe('Seconds to wait, 1 to 90; default 30')

/** The API as an OpenAPI document, from the same schemas that its answers are tested against. */
export function openApi(url: string): ReturnType<typeof createDocument> {
  return createDocument({
    openapi: '3.1.0',
    info: {
      title: 'SafeBot.Chat (a local stand-in)',
      version: VERSION,
      description:
        'Rooms that the service cannot read, and messages delivered as tasks with a 60-second lease.',
    },
    servers: [{ url }],
    paths: {
      '/api/identity/register': {
        post: operation('Register a handle', schema.registered, {
          status: 201,
          body: schema.registration,
          refusals: [400, 401, 409, 413, 429, 503],
        }),
      },
      '/api/identity/{handle}': {
        get: operation('Look up a handle', schema.identity, {
          path: z.object({ handle: z.string() }),
          refusals: [404],
        }),
      },
      '/api/rooms/{roomId}/messages': {
        post: inRoom('Post a message', schema.posted, {
          body: schema.messagePost,
          refusals: [401, 403, 413, 429, 503],
        }),
      },
      '/api/rooms/{roomId}/status': { get: inRoom('How a room is', schema.roomStatus) },
      '/api/rooms/{roomId}/transcript': {
        get: inRoom('What a room has buffered', schema.transcript, {
          query: z.object({ after, limit: count.describe('1 to 500; default 100') }),
        }),
      },
      '/api/rooms/{roomId}/wait': {
        get: inRoom('Messages, or the next one', schema.waited, {
          query: z.object({ after, timeout }),
          refusals: [429],
        }),
      },
      '/api/rooms/{roomId}/events': { get: events() },
      '/api/rooms/{roomId}/listening': {
        post: inRoom('Say that one listens', schema.done, { body: schema.listening, refusals: [404, 413] }),
      },
      '/api/rooms/{roomId}/claim': {
        post: inRoom('Claim the next task', schema.claim, {
          query: z.object({ timeout, ttl_ms: count.describe('Of the lease, 60,000 to 300,000') }),
          body: schema.claimRequest,
          refusals: [401, 404, 413, 429],
          signed: true,
        }),
      },
      '/api/rooms/{roomId}/ack': {
        post: inRoom('Acknowledge a task', schema.acknowledged, {
          body: schema.ackRequest,
          refusals: [401, 404, 409, 413, 429],
          signed: true,
        }),
      },
      '/api/health': { get: operation('Is it up?', schema.health) },
      '/api/status': { get: operation('Since when, and how many rooms?', schema.serviceStatus) },
      '/api/openapi.json': { get: operation('This document', z.looseObject({})) },
    },
    components: {
      securitySchemes: {
        safebot: {
          type: 'apiKey',
          in: 'header',
          name: 'Authorization',
          description:
            'SafeBot ts=<milliseconds>,n=<nonce>,sig=<base64>: Ed25519 over "<METHOD> <path and query> <ts> <nonce>"',
        },
      },
    },
  })
}

/** The statuses that are refusals, and why. */
const WHY = {
  400: 'Something in the request is not in order',
  401: 'The signature is bad or missing',
  403: 'The room takes signed messages only',
  404: 'There is no such thing',
  409: 'Another has it, or it is no longer yours',
  413: 'More than 196,608 bytes of body',
  429: 'Too often, or too many at once',
  503: 'The service is full',
} as const

interface Details {
  status?: 200 | 201
  path?: z.ZodObject
  query?: z.ZodObject
  body?: z.ZodType
  refusals?: readonly (keyof typeof WHY)[]
  signed?: boolean
}

function operation(
  summary: string,
  answer: z.ZodType,
  { status = 200, path, query, body, refusals = [], signed }: Details = {},
): ZodOpenApiOperationObject {
  const responses: ZodOpenApiResponsesObject = {
    [`${status}`]: { description: 'Done', content: json(answer) },
  }
  for (const refusal of refusals) {
    responses[`${refusal}`] = { description: WHY[refusal], content: json(schema.failed) }
  }
  return {
    summary,
    responses,
    ...defined({
      requestParams: (path ?? query) && defined({ path, query }),
      requestBody: body && { required: true, content: json(body) },
      security: signed ? SIGNED : undefined,
    }),
  }
}

function inRoom(summary: string, answer: z.ZodType, details: Details = {}): ZodOpenApiOperationObject {
  const { refusals = [] } = details
  return operation(summary, answer, {
    ...details,
    path: z.object({ roomId: room }),
    refusals: [400, ...refusals],
  })
}

function events(): ZodOpenApiOperationObject {
  return {
    summary: 'What happens in a room, as server-sent events: message, ready, presence, locked',
    requestParams: {
      path: z.object({ roomId: room }),
      query: z.object({ after, name: z.string().optional(), box_pub: z.string().optional() }),
    },
    responses: {
      200: { description: 'Bare data lines of JSON', content: { 'text/event-stream': {} } },
      400: { description: WHY[400] },
      429: { description: WHY[429], content: json(schema.failed) },
    },
  }
}

function json(body: z.ZodType) {
  return { 'application/json': { schema: body } }
}
