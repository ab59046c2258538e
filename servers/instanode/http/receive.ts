import { isUtf8 } from 'node:buffer'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Request, Response } from 'express'
import { isUnavailable } from '../../../shared/errors.js'
import { type Operation, operation, paramOf, queryTextOf } from '../../../shared/http/operation.js'
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

/**
 * Returns the routes of receivers. A receiver's URL stores requests, and returns them if the contract says
 * so.
 */
export function receiveOperations(context: RestContext): Operation[] {
  const { readsBackOnGet, receivesAnyMethod } = context.contract
  const run = (request: Request, response: Response) => answer(context, request, response)
  const deliver = {
    path: PATH,
    summary: 'Send a delivery to a receiver',
    params: schema.tokenParams,
    answer: schema.taken,
    refusals: [400, 404, 410, 413, 503],
    run,
  }
  const readBack = { summary: 'List the stored deliveries, the newest first', answer: schema.deliveryLog }
  return [
    operation({ ...deliver, method: 'POST' }),
    // The router passes HEAD requests to the GET operation.
    operation({ ...deliver, ...(readsBackOnGet && readBack), method: 'GET' }),
    ...(receivesAnyMethod ? [operation({ ...deliver, method: 'ALL', hidden: true })] : []),
  ]
}

async function answer(context: RestContext, request: Request, response: Response): Promise<undefined> {
  if (isPreflight(request)) return sendEmpty(response, 200)
  try {
    await storeOrReadBack(context, request, response)
  } catch (error) {
    context.log.error('a request to a receiver has failed', error)
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
    query: queryTextOf(request),
    rawHeaders,
    body,
  })
  if (id === undefined) return refuseByState(context, token, response)
  sendEncoded(response, 200, `{"id":"${id}","ok":true}`)
}

/** Refuses a body that is too large with 413. The error of an unknown or inactive receiver comes first. */
async function refuseTooLarge(context: RestContext, token: string, response: Response): Promise<undefined> {
  if ((await context.local.receivers.state(token)) !== 'active')
    return refuseByState(context, token, response)
  const message = `the body is larger than ${BODY_LIMIT} bytes, and nothing was stored: send a smaller one`
  sendFailure(response, 413, 'payload_too_large', message)
}

async function readBack(context: RestContext, token: string, response: Response): Promise<undefined> {
  const { receivers, store } = context.local
  if ((await receivers.state(token)) !== 'active') return refuseByState(context, token, response)
  const deliveries = await store.deliveries(token)
  // The log is sent in pieces, because 1,000 deliveries of
  // 1 MiB are longer than the longest string of JavaScript.
  response.writeHead(200, { 'Content-Type': JSON_TYPE })
  // The pipeline fails if the caller disconnects. Nothing is left to do then.
  await pipeline(Readable.from(logJson(deliveries)), response).catch(() => undefined)
}

async function refuseByState(context: RestContext, token: string, response: Response): Promise<undefined> {
  const state: ReceiverState = await context.local.receivers.state(token)
  if (state === 'unknown') sendCode(response, 404, 'not_found')
  else sendCode(response, 410, 'webhook_inactive')
}

/**
 * Returns whether a request is a CORS preflight of a browser. A preflight is never stored, even if the
 * receiver accepts all methods.
 */
function isPreflight({ method, headers }: Request): boolean {
  return method === 'OPTIONS' && headers['access-control-request-method'] !== undefined
}

/** Yields the log of a receiver as pieces of one JSON text. */
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

/** Sends an error that has a code and no message, as the real service does on the routes of receivers. */
function sendCode(response: Response, status: number, error: string): undefined {
  sendGoJson(response, status, { error, ok: false })
}

/** A delivery in the log of its receiver. */
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

/** Describes a delivery for the log of its receiver. */
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
 * Returns headers with names in Go's spelling. The values of a repeated header are joined by commas. `Host`
 * is left out, because Go does not keep it among the headers.
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

/** Returns the name of a header in Go's spelling, such as `X-Request-Id` for `x-REQUEST-id`. */
function canonicalName(name: string): string {
  return name.toLowerCase().replace(/(^|-)[a-z]/g, start => start.toUpperCase())
}
