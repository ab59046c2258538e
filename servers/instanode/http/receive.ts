import { isUtf8 } from 'node:buffer'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Request, Response } from 'express'
import { isUnavailable } from '../../../shared/errors.js'
import { type Operation, operation, paramOf, searchOf } from '../../../shared/http/operation.js'
import { goJson } from '../../../shared/util/go-json.js'
import type { Delivery } from '../domain/model.js'
import { readToken } from '../domain/ownership.js'
import type { ReceiverState } from '../domain/receivers.js'
import { ServiceRefusal } from '../domain/refusals.js'
import { BODY_LIMIT } from '../limits.js'
import { JSON_TYPE, sendEmpty, sendEncoded, sendFailure, sendGoJson, sendUnavailable } from './answer.js'
import type { RestContext } from './context.js'
import * as schema from './schemas.js'

const PATH = '/webhook/receive/:token'

/** The HTTP routes of receivers. Each receiver has a URL that stores requests and returns them. */
export function receiveOperations(context: RestContext): Operation[] {
  const { readsBackOnGet, receivesAnyMethod } = context.contract
  const run = (request: Request, response: Response) => answer(context, request, response)
  const deliver = {
    path: PATH,
    summary: 'Deliver something',
    params: schema.tokenParams,
    answer: schema.taken,
    refusals: [400, 404, 410, 413, 503],
    run,
  }
  const readBack = { summary: 'Read back what was delivered, the newest first', answer: schema.deliveryLog }
  return [
    operation({ ...deliver, method: 'POST' }),
    // HEAD is handled as GET.
    operation({ ...deliver, ...(readsBackOnGet && readBack), method: 'GET' }),
    ...(receivesAnyMethod ? [operation({ ...deliver, method: 'ALL', hidden: true })] : []),
  ]
}

async function answer(context: RestContext, request: Request, response: Response): Promise<undefined> {
  if (isPreflight(request)) return sendEmpty(response, 200)
  try {
    await storeOrReadBack(context, request, response)
  } catch (error) {
    context.log.error('a request to a receiver could not be answered', error)
    const failed = { error: 'lookup_failed', ok: false }
    if (isUnavailable(error)) sendUnavailable(response, error, failed)
    else sendGoJson(response, 503, failed)
  }
}

async function storeOrReadBack(
  context: RestContext,
  request: Request,
  response: Response,
): Promise<undefined> {
  const { receivers } = context.local
  const token = tokenOf(paramOf(request, 'token'))
  if (token === undefined) return sendCode(response, 400, 'invalid_token')
  if (request.method === 'GET' && context.contract.readsBackOnGet) return readBack(context, token, response)
  if (request.bodyTooLarge) return refuseTooLarge(context, token, response)
  const { method, path, rawBody: body, rawHeaders } = request
  const id = await receivers.storeDelivery(token, {
    method,
    path,
    query: searchOf(request),
    rawHeaders,
    body,
  })
  if (id === undefined) return refuseByState(context, token, response)
  sendEncoded(response, 200, `{"id":"${id}","ok":true}`)
}

/** Answers a body that is too large. The error of a missing or ended receiver comes first. */
async function refuseTooLarge(context: RestContext, token: string, response: Response): Promise<undefined> {
  if ((await context.local.receivers.state(token)) !== 'active')
    return refuseByState(context, token, response)
  const message = `the body is larger than ${BODY_LIMIT} bytes: nothing of it was kept`
  sendFailure(response, 413, 'payload_too_large', message)
}

async function readBack(context: RestContext, token: string, response: Response): Promise<undefined> {
  const { receivers, store } = context.local
  if ((await receivers.state(token)) !== 'active') return refuseByState(context, token, response)
  const deliveries = await store.deliveries(token)
  // Sent in pieces, because the log of a receiver can be longer than the longest string.
  response.writeHead(200, { 'Content-Type': JSON_TYPE })
  // A caller that disconnects meanwhile gets no answer.
  await pipeline(Readable.from(logJson(deliveries)), response).catch(() => undefined)
}

async function refuseByState(context: RestContext, token: string, response: Response): Promise<undefined> {
  const state: ReceiverState = await context.local.receivers.state(token)
  if (state === 'unknown') sendCode(response, 404, 'not_found')
  else sendCode(response, 410, 'webhook_inactive')
}

/**
 * Returns whether a request is a browser's CORS preflight. It is never a delivery, even if every method is
 * one.
 */
function isPreflight({ method, headers }: Request): boolean {
  return method === 'OPTIONS' && headers['access-control-request-method'] !== undefined
}

function* logJson(deliveries: readonly Delivery[]): Generator<string> {
  yield '{"ok":true,"requests":['
  for (const [at, delivery] of deliveries.entries()) {
    yield `${at === 0 ? '' : ','}${goJson(deliveryEntry(delivery))}`
  }
  yield `],"total":${deliveries.length}}\n`
}

function tokenOf(text: string): string | undefined {
  try {
    return readToken(text)
  } catch (error) {
    if (error instanceof ServiceRefusal) return undefined
    throw error
  }
}

/** Sends an error without a message. The service omits it on these routes alone. */
function sendCode(response: Response, status: number, error: string): undefined {
  sendGoJson(response, status, { error, ok: false })
}

/** A delivery as a receiver's log shows it. */
interface DeliveryEntry {
  body: string
  /** The encoding of `body`. A body that is not UTF-8 is shown in base64. */
  encoding: 'utf8' | 'base64'
  headers: Record<string, string>
  id: string
  method: string
  path: string
  query: string
  /** RFC 3339, UTC, whole seconds. */
  received_at: string
}

export function deliveryEntry({ body, receivedAt, rawHeaders, ...rest }: Delivery): DeliveryEntry {
  const { id, method, path, query } = rest
  const encoding = isUtf8(body) ? 'utf8' : 'base64'
  return {
    body: body.toString(encoding),
    encoding,
    headers: canonicalHeaders(rawHeaders),
    id,
    method,
    path,
    query,
    received_at: new Date(receivedAt).toISOString().replace(/\.\d+Z$/, 'Z'),
  }
}

/**
 * Returns headers in Go's spelling with repeated ones joined. Host is missing, because Go stores it
 * elsewhere.
 */
function canonicalHeaders(raw: readonly string[]): Record<string, string> {
  const headers = new Map<string, string>()
  for (let at = 0; at < raw.length; at += 2) {
    const name = canonicalName(raw[at] ?? '')
    const value = raw[at + 1] ?? ''
    const before = headers.get(name)
    if (name !== 'Host') headers.set(name, before === undefined ? value : `${before}, ${value}`)
  }
  return Object.fromEntries(headers)
}

/** `X-Request-Id` of `x-REQUEST-id`. */
function canonicalName(name: string): string {
  return name.toLowerCase().replace(/(^|-)[a-z]/g, start => start.toUpperCase())
}
