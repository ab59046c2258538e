import { isUtf8 } from 'node:buffer'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { isUnavailable } from '../../../shared/errors.js'
import type { HttpCall } from '../../../shared/http/http-call.js'
import type { HttpAnswer, Route } from '../../../shared/http/routes.js'
import { goJson } from '../../../shared/util/go-json.js'
import type { Delivery } from '../domain/model.js'
import { readToken } from '../domain/ownership.js'
import type { ReceiverState } from '../domain/receivers.js'
import { ServiceRefusal } from '../domain/refusals.js'
import { BODY_LIMIT } from '../limits.js'
import { answer, emptyAnswer, encoded, failure, JSON_TYPE, unavailable } from './answer.js'
import type { RestKit } from './context.js'

const PATH = '/webhook/receive/:token'

/** Headers of every answer, which an answer in pieces has to bring itself. */
type Headers = (call: HttpCall) => Record<string, string>

/** The HTTP side of the receivers: each has a URL that takes requests, and gives them back. */
export function receiveRoutes(kit: RestKit, headers: Headers): Route[] {
  const route = new ReceiveRoute(kit, headers)
  const run = (call: HttpCall) => route.run(call)
  // HEAD goes where GET goes.
  const methods = kit.contract.receivesAnyMethod ? ['*'] : ['POST', 'GET']
  return methods.map(method => ({ method, path: PATH, bodyLimit: BODY_LIMIT, run }))
}

class ReceiveRoute {
  readonly #kit: RestKit
  readonly #headers: Headers

  constructor(kit: RestKit, headers: Headers) {
    this.#kit = kit
    this.#headers = headers
  }

  async run(call: HttpCall): Promise<HttpAnswer | undefined> {
    if (isPreflight(call)) return emptyAnswer(200)
    try {
      return await this.#takeOrReadBack(call)
    } catch (error) {
      this.#kit.log.error('a request to a receiver could not be answered', error)
      const failed = { error: 'lookup_failed', ok: false }
      return isUnavailable(error) ? unavailable(error, failed) : answer(503, failed)
    }
  }

  async #takeOrReadBack(call: HttpCall): Promise<HttpAnswer | undefined> {
    const { contract } = this.#kit
    const { receivers } = this.#kit.local
    const token = tokenOf(call.params.token ?? '')
    if (token === undefined) return fail(400, 'invalid_token')
    if (call.method === 'GET' && contract.readsBackOnGet) return this.#readBack(token, call)
    if (call.tooLarge) return this.#tooLarge(token)
    const { method, path, search, body, request } = call
    const { rawHeaders } = request
    const id = await receivers.take(token, { method, path, query: search, rawHeaders, body })
    return id === undefined ? this.#refuse(token) : encoded(200, `{"id":"${id}","ok":true}`)
  }

  async #tooLarge(token: string): Promise<HttpAnswer> {
    if ((await this.#kit.local.receivers.state(token)) !== 'active') return this.#refuse(token)
    return failure(
      413,
      'payload_too_large',
      `the body is larger than ${BODY_LIMIT} bytes: nothing of it was kept`,
    )
  }

  async #readBack(token: string, call: HttpCall): Promise<HttpAnswer | undefined> {
    const { receivers, store } = this.#kit.local
    if ((await receivers.state(token)) !== 'active') return this.#refuse(token)
    const deliveries = await store.deliveries(token)
    const { response } = call
    // Piece by piece: the log of a receiver can be longer than any one string.
    response.writeHead(200, { ...this.#headers(call), 'Content-Type': JSON_TYPE })
    // A caller that hangs up meanwhile has nobody left to tell.
    await pipeline(Readable.from(logJson(deliveries)), response).catch(() => undefined)
    return undefined
  }

  async #refuse(token: string): Promise<HttpAnswer> {
    const state: ReceiverState = await this.#kit.local.receivers.state(token)
    return state === 'unknown' ? fail(404, 'not_found') : fail(410, 'webhook_inactive')
  }
}

/** A browser's question whether it may send: no delivery, even where every method is one. */
function isPreflight({ method, headers }: HttpCall): boolean {
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

/** Here, and only here, the service's errors carry no message. */
function fail(status: number, error: string): HttpAnswer {
  return answer(status, { error, ok: false })
}

/** A delivery as a receiver's log shows it. */
interface DeliveryEntry {
  body: string
  /** How `body` is to be read: a body that is no UTF-8 is kept whole this way. */
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

/** Headers under the spelling Go gives them, repeated ones joined; without Host, which Go keeps elsewhere. */
function canonicalHeaders(raw: readonly string[]): Record<string, string> {
  const headers = new Map<string, string>()
  for (let at = 0; at < raw.length; at += 2) {
    const name = canonical(raw[at] ?? '')
    const value = raw[at + 1] ?? ''
    const before = headers.get(name)
    if (name !== 'Host') headers.set(name, before === undefined ? value : `${before}, ${value}`)
  }
  return Object.fromEntries(headers)
}

/** `X-Request-Id` of `x-REQUEST-id`. */
function canonical(name: string): string {
  return name.toLowerCase().replace(/(^|-)[a-z]/g, start => start.toUpperCase())
}
