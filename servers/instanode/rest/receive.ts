import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Refusal } from '../../../shared/errors.js'
import { goJson } from '../../../shared/go-json.js'
import { readBody } from '../../../shared/http/read-body.js'
import type { Contract } from '../contract.js'
import type { Delivery } from '../domain/delivery.js'
import type { ReceiverState, Receivers } from '../domain/receivers.js'
import { ServiceRefusal } from '../domain/refusals.js'
import { readToken } from '../domain/token.js'
import { answer, send, startJson } from './answer.js'
import { deliveryEntry } from './delivery-json.js'

/** The most bytes a delivery may have, inclusive. */
export const MAX_DELIVERY_BYTES = 1024 * 1024

const RECEIVE = '/webhook/receive/'

/** What a receiver takes under the observed contract. */
const OBSERVED_METHODS = ['POST', 'GET', 'HEAD']

/** A request to the URL of a receiver. */
interface Target {
  token: string
  path: string
  query: string
}

/** The HTTP side of the receivers: each has a URL that takes requests, and gives them back. */
export class ReceiveRoute {
  readonly #receivers: Receivers
  readonly #contract: Contract

  constructor(receivers: Receivers, contract: Contract) {
    this.#receivers = receivers
    this.#contract = contract
  }

  /** What a request to a receiver's URL is aimed at; undefined if it is aimed elsewhere. */
  target(url: string): { text: string; path: string; query: string } | undefined {
    const mark = url.indexOf('?')
    const path = mark < 0 ? url : url.slice(0, mark)
    if (!path.startsWith(RECEIVE)) return undefined
    const text = path.slice(RECEIVE.length)
    if (text === '' || text.includes('/')) return undefined
    return { text, path, query: mark < 0 ? '' : url.slice(mark + 1) }
  }

  /** Takes a delivery, or reads the log back. */
  async handle(
    request: IncomingMessage,
    response: ServerResponse,
    { text, path, query }: { text: string; path: string; query: string },
  ): Promise<void> {
    const { method = 'GET' } = request
    if (!this.#contract.receivesAnyMethod && !OBSERVED_METHODS.includes(method)) {
      fail(response, 405, 'method_not_allowed', { Allow: OBSERVED_METHODS.join(', ') })
      return
    }
    const token = tokenOf(text)
    if (token === undefined) {
      fail(response, 400, 'invalid_token')
      return
    }
    const state = await this.#receivers.state(token)
    if (state !== 'active') refuse(response, state)
    else if (method === 'GET' && this.#contract.readsBackOnGet) await this.#readBack(token, response)
    else await this.#take(request, response, { token, path, query })
  }

  async #take(request: IncomingMessage, response: ServerResponse, target: Target): Promise<void> {
    const body = await bodyOf(request)
    if (body === 'aborted') return
    if (body === 'too_large') {
      const message = `the body is larger than ${MAX_DELIVERY_BYTES} bytes: nothing of it was kept`
      answer(response, 413, { error: 'payload_too_large', message, ok: false })
      return
    }
    const { token, path, query } = target
    const { method = 'GET', rawHeaders } = request
    const id = await this.#receivers.take(token, { method, path, query, rawHeaders, body })
    if (id === undefined) refuse(response, 'inactive')
    else send(response, 200, `{"id":"${id}","ok":true}`)
  }

  async #readBack(token: string, response: ServerResponse): Promise<void> {
    const deliveries = await this.#receivers.deliveries(token)
    startJson(response)
    // A caller that hangs up meanwhile has nobody left to tell.
    await pipeline(Readable.from(logJson(deliveries)), response).catch(() => undefined)
  }
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
    return readToken(decodeURIComponent(text))
  } catch (error) {
    if (error instanceof ServiceRefusal || error instanceof URIError) return undefined
    throw error
  }
}

async function bodyOf(request: IncomingMessage): Promise<Buffer | 'too_large' | 'aborted'> {
  try {
    return await readBody(request, MAX_DELIVERY_BYTES)
  } catch (error) {
    return error instanceof Refusal && error.code === 'body_too_large' ? 'too_large' : 'aborted'
  }
}

function refuse(response: ServerResponse, state: Exclude<ReceiverState, 'active'>): void {
  if (state === 'unknown') fail(response, 404, 'not_found')
  else fail(response, 410, 'webhook_inactive')
}

/** Here, and only here, the service's errors carry no message. */
function fail(
  response: ServerResponse,
  status: number,
  error: string,
  headers: Record<string, string> = {},
): void {
  answer(response, status, { error, ok: false }, headers)
}
