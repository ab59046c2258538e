import { Agent as HttpAgent, type IncomingHttpHeaders, request as requestHttp } from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import type { Clock, Wakeup } from '../../../shared/clock/clock.js'
import { fetchFailure } from '../../../shared/http/fetch-failure.js'
import { mirroredHeaders } from '../../../shared/mcp/mirrored-headers.js'
import { defined, isObject } from '../../../shared/util/objects.js'
import { EventReader } from '../../gateway/proxy/sse-parser.js'
import {
  ANSWER_TIMEOUT_MS,
  type Answer,
  type Asked,
  type Caller,
  deadline,
  formatMessage,
  greet,
  isAnswer,
  isModernRevision,
  type Message,
  messagesOf,
  REVISION,
} from './caller.js'

const KEPT = { keepAlive: true }

/** Maximum size of an answer, in bytes. A request with a larger answer fails. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024

export interface HttpCallerOptions {
  url: string
  headers: Record<string, string>
  machine: Clock
  /** The revision that the caller speaks. Default: {@link REVISION}. */
  protocol?: string
  /** Returns whether the upstream is busy. Default: the upstream is never busy. */
  busy?: () => boolean
}

/** The response to one POST. */
interface Posted {
  readonly messages: readonly unknown[]
  /** The answer to return if none of the messages is a JSON-RPC answer. */
  readonly answer: Answer
  readonly status?: number
  readonly headers?: IncomingHttpHeaders
}

/** Calls a gateway over Streamable HTTP. Uses a session if the gateway opens one. */
export class HttpCaller implements Caller {
  readonly #options: HttpCallerOptions
  readonly #headers: Record<string, string>
  readonly #protocol: string
  readonly #poster: Poster
  /**
   * In the modern era, the requests under way, by id. Aborting the controller closes the connection, which
   * cancels the request.
   */
  readonly #cancels = new Map<unknown, AbortController>()
  #lastId = 0

  private constructor(options: HttpCallerOptions) {
    this.#options = options
    this.#protocol = options.protocol ?? REVISION
    this.#poster = new Poster(options.url, options.machine)
    this.#headers = {
      'Content-Type': 'application/json',
      Accept: 'application/json, text/event-stream',
      ...options.headers,
    }
  }

  /**
   * Opens a caller and makes its first request.
   *
   * @throws Refusal `gateway_refused` if the first request gets no result
   */
  static async open(options: HttpCallerOptions): Promise<HttpCaller> {
    const caller = new HttpCaller(options)
    try {
      await greet(caller, options.url, caller.#protocol)
    } catch (error) {
      await caller.close()
      throw error
    }
    return caller
  }

  ask(method: string, params?: unknown, id: string | number = ++this.#lastId): Asked {
    const answer = this.#post(formatMessage({ method, params }, this.#protocol, id))
    return { id, answer: answer.then(posted => answerTo(id, posted)) }
  }

  askAll(requests: readonly Message[]): Asked[] {
    const ids = requests.map(() => ++this.#lastId)
    const answer = this.#post(requests.map((request, at) => formatMessage(request, this.#protocol, ids[at])))
    return ids.map(id => ({ id, answer: answer.then(posted => answerTo(id, posted, ids)) }))
  }

  async notify(method: string, params?: unknown): Promise<Answer> {
    const cancelled = method === 'notifications/cancelled' && isObject(params) ? params.requestId : undefined
    const cancel = this.#cancels.get(cancelled)
    if (cancel !== undefined) {
      cancel.abort()
      return { kind: 'nothing', why: 'a closed connection has no answer' }
    }
    const { messages, answer } = await this.#post(formatMessage({ method, params }, this.#protocol))
    const message = messages.find(isAnswer)
    return message === undefined ? answer : { kind: 'response', message, others: [] }
  }

  withoutSession(): Caller {
    return new HttpCaller(this.#options)
  }

  async close(): Promise<void> {
    const { signal, cancel } = deadline(this.#options.machine, END_MS)
    if (this.#headers['Mcp-Session-Id'] !== undefined) {
      // Errors are ignored, because the gateway may have ended.
      await this.#poster
        .send({ method: 'DELETE', headers: this.#headers, body: '', signal })
        .catch(() => undefined)
    }
    cancel()
    this.#poster.close()
  }

  async #post(body: unknown): Promise<Posted> {
    const { machine, busy } = this.#options
    const protocol = this.#protocol
    const timeout = deadline(machine, ANSWER_TIMEOUT_MS, busy)
    const modern = isModernRevision(protocol)
    const headers = modern ? { ...this.#headers, ...headersOf(body, protocol) } : this.#headers
    const controller = new AbortController()
    const signal = AbortSignal.any([timeout.signal, controller.signal])
    const id = isObject(body) ? body.id : undefined
    if (modern && id !== undefined) this.#cancels.set(id, controller)
    try {
      const requests = (Array.isArray(body) ? body : [body]).filter(isRequest).length
      const sent = await this.#poster.send({
        method: 'POST',
        headers,
        body: JSON.stringify(body),
        signal,
        requests,
      })
      const { status, headers: answered, text } = sent
      const session = answered['mcp-session-id']?.toString()
      if (session !== undefined && !modern) {
        this.#headers['Mcp-Session-Id'] = session
        this.#headers['MCP-Protocol-Version'] = protocol
      }
      const messages = isStream(answered) ? eventsOf(text) : messagesOf(text)
      return {
        messages,
        answer: { kind: 'http', status, headers: answered, text },
        status,
        headers: answered,
      }
    } catch (error) {
      const why = timeout.signal.aborted ? `no answer in ${ANSWER_TIMEOUT_MS / 1000} s` : fetchFailure(error)
      return { messages: [], answer: { kind: 'nothing', why } }
    } finally {
      this.#cancels.delete(id)
      timeout.cancel()
    }
  }
}

/** Returns the headers that a request with this body needs in the modern era. */
function headersOf(body: unknown, protocol: string): Record<string, string> {
  return Array.isArray(body) ? { 'mcp-protocol-version': protocol } : mirroredHeaders(body)
}

/** Maximum time for the request that ends a session, in milliseconds. */
const END_MS = 2000

/**
 * How long an event stream is read after the last answer, in milliseconds. The wait is limited, because some
 * gateways leave the stream open.
 */
const LINGER_MS = 250

/**
 * Returns the answer with the id of the request. If there is none, returns an answer whose id belongs to no
 * request of the body, so that the judge reports the wrong id.
 *
 * @param batch the ids of all requests of the body
 */
function answerTo(
  id: string | number,
  { messages, answer, status, headers }: Posted,
  batch: readonly (string | number)[] = [id],
): Answer {
  const answers = messages.filter(isAnswer)
  const message =
    answers.find(own => own.id === id) ?? answers.find(other => !batch.some(used => used === other.id))
  if (message === undefined) return answer
  const others = messages.filter(other => !isAnswer(other))
  return { kind: 'response', message, others, ...defined({ status, headers }) }
}

function isStream(headers: IncomingHttpHeaders): boolean {
  return headers['content-type']?.startsWith('text/event-stream') ?? false
}

function isRequest(message: unknown): boolean {
  return isObject(message) && 'method' in message && 'id' in message
}

function eventsOf(text: string): unknown[] {
  const messages: unknown[] = []
  const reader = new EventReader({
    event: ({ data }) => messages.push(...messagesOf(data)),
    comment: () => undefined,
    retry: () => undefined,
    tooLong: () => undefined,
  })
  reader.push(Buffer.from(text))
  return messages
}

interface Post {
  method: 'POST' | 'DELETE'
  headers: Record<string, string>
  body: string
  signal: AbortSignal
  /**
   * Number of answers after which an event stream is complete. 0 means that the stream is read to its end.
   * Default 0.
   */
  requests?: number
}

/**
 * Sends HTTP requests on reused connections. Does not use `fetch`, because `fetch` takes as much time as the
 * call itself, and a rehearsal makes thousands of calls.
 */
class Poster {
  readonly #url: URL
  readonly #agent: HttpAgent
  readonly #machine: Clock

  constructor(url: string, machine: Clock) {
    this.#machine = machine
    this.#url = new URL(url)
    this.#agent = this.#url.protocol === 'https:' ? new HttpsAgent(KEPT) : new HttpAgent(KEPT)
  }

  /** Sends a request and reads its response. Rejects with the error of the connection. */
  send(post: Post): Promise<{ status: number; headers: IncomingHttpHeaders; text: string }> {
    const { method, headers, body, signal, requests = 0 } = post
    const request = this.#url.protocol === 'https:' ? requestHttps : requestHttp
    const length = { 'Content-Length': String(Buffer.byteLength(body)) }
    return new Promise((resolve, reject) => {
      const options = { method, agent: this.#agent, headers: { ...headers, ...length }, signal }
      const sent = request(this.#url, options, response => {
        const chunks: Buffer[] = []
        let bytes = 0
        let lingering: Wakeup | undefined
        const end = () => {
          lingering?.cancel()
          const text = Buffer.concat(chunks).toString('utf8')
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text })
        }
        const linger = () => {
          end()
          response.destroy()
        }
        response.on('data', (chunk: Buffer) => {
          chunks.push(chunk)
          bytes += chunk.length
          if (bytes > MAX_ANSWER_BYTES) {
            response.destroy(new Error(`an answer of more than ${MAX_ANSWER_BYTES / 1024 / 1024} MiB`))
          } else if (lingering === undefined && isStream(response.headers) && requests > 0) {
            const answers = eventsOf(Buffer.concat(chunks).toString('utf8')).filter(isAnswer)
            if (answers.length >= requests)
              lingering = this.#machine.wakeAt(this.#machine.now() + LINGER_MS, linger)
          }
        })
        response.on('error', error => {
          lingering?.cancel()
          reject(error)
        })
        response.on('end', end)
      })
      sent.on('error', (error: NodeJS.ErrnoException) => {
        // The gateway closed the idle connection just before this request, so the request is sent again.
        if (sent.reusedSocket && error.code === 'ECONNRESET') resolve(this.send(post))
        else reject(error)
      })
      sent.end(body)
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}
