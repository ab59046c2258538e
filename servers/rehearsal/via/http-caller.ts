import { Agent as HttpAgent, type IncomingHttpHeaders, request as requestHttp } from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import type { Clock } from '../../../shared/clock/clock.js'
import { fetchFailure } from '../../../shared/http/fetch-failure.js'
import { isObject } from '../../../shared/util/is-object.js'
import { EventReader } from '../../gateway/proxy/sse-parser.js'
import { type Answer, type Caller, deadline, INITIALIZE, PATIENCE_MS, REVISION } from './caller.js'

const KEPT = { keepAlive: true, maxSockets: 1 }

export interface HttpCallerOptions {
  url: string
  headers: Record<string, string>
  machine: Clock
}

/** Calls over Streamable HTTP, in a session if the gateway opens one. */
export class HttpCaller implements Caller {
  readonly #options: HttpCallerOptions
  readonly #headers: Record<string, string>
  readonly #poster: Poster
  #lastId = 0

  private constructor(options: HttpCallerOptions) {
    this.#options = options
    this.#poster = new Poster(options.url)
    this.#headers = {
      'Content-Type': 'application/json',
      Accept: 'application/json, text/event-stream',
      ...options.headers,
    }
  }

  static async open(options: HttpCallerOptions): Promise<HttpCaller> {
    const caller = new HttpCaller(options)
    await caller.ask('initialize', INITIALIZE)
    await caller.#post({ jsonrpc: '2.0', method: 'notifications/initialized' })
    return caller
  }

  async ask(method: string, params?: unknown): Promise<Answer> {
    const id = ++this.#lastId
    const { messages, answer } = await this.#post({ jsonrpc: '2.0', id, method, ...given(params) })
    return answerTo(id, messages) ?? answer
  }

  async askAll(requests: readonly { method: string; params: unknown }[]): Promise<Answer[]> {
    const batch = requests.map(({ method, params }) => ({
      jsonrpc: '2.0',
      id: ++this.#lastId,
      method,
      ...given(params),
    }))
    const { messages, answer } = await this.#post(batch)
    return batch.map(({ id }) => answerTo(id, messages) ?? answer)
  }

  async close(): Promise<void> {
    const { signal, over } = deadline(this.#options.machine)
    if (this.#headers['Mcp-Session-Id'] !== undefined) {
      // Whoever has gone already need not be told.
      await this.#poster.send('DELETE', this.#headers, '', signal).catch(() => undefined)
    }
    over()
    this.#poster.close()
  }

  /** The messages that came, and what the answer is if none of them is one. */
  async #post(body: unknown): Promise<{ messages: unknown[]; answer: Answer }> {
    const { signal, over } = deadline(this.#options.machine)
    try {
      const sent = await this.#poster.send('POST', this.#headers, JSON.stringify(body), signal)
      const { status, headers, text } = sent
      const session = headers['mcp-session-id']?.toString()
      if (session !== undefined) {
        this.#headers['Mcp-Session-Id'] = session
        this.#headers['MCP-Protocol-Version'] = REVISION
      }
      const streams = headers['content-type']?.startsWith('text/event-stream') ?? false
      const messages = streams ? eventsOf(text) : messagesOf(text)
      return { messages, answer: { kind: 'http', status, text: text.slice(0, 200) } }
    } catch (error) {
      const why = signal.aborted ? `no answer in ${PATIENCE_MS / 1000} s` : fetchFailure(error)
      return { messages: [], answer: { kind: 'nothing', why } }
    } finally {
      over()
    }
  }
}

function given(params: unknown): { params?: unknown } {
  return params === undefined ? {} : { params }
}

/** An error without an id is the answer to whatever was asked alone. */
function answerTo(id: number, messages: readonly unknown[]): Answer | undefined {
  const own = messages.find(message => isObject(message) && message.id === id && !('method' in message))
  const anonymous = messages.find(message => isObject(message) && 'error' in message && message.id == null)
  const message = own ?? anonymous
  return isObject(message) ? { kind: 'response', message } : undefined
}

function messagesOf(text: string): unknown[] {
  try {
    const body: unknown = JSON.parse(text)
    return Array.isArray(body) ? body : [body]
  } catch {
    return []
  }
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

/** A request over HTTP, on connections that are kept: a rehearsal makes thousands, and `fetch` costs as much as the call. */
class Poster {
  readonly #url: URL
  readonly #agent: HttpAgent

  constructor(url: string) {
    this.#url = new URL(url)
    this.#agent = this.#url.protocol === 'https:' ? new HttpsAgent(KEPT) : new HttpAgent(KEPT)
  }

  /** Rejects with what went wrong on the way. */
  send(
    method: 'POST' | 'DELETE',
    headers: Record<string, string>,
    body: string,
    signal: AbortSignal,
  ): Promise<{ status: number; headers: IncomingHttpHeaders; text: string }> {
    const request = this.#url.protocol === 'https:' ? requestHttps : requestHttp
    const length = { 'Content-Length': String(Buffer.byteLength(body)) }
    return new Promise((resolve, reject) => {
      const options = { method, agent: this.#agent, headers: { ...headers, ...length }, signal }
      const sent = request(this.#url, options, response => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8')
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text })
        })
      })
      sent.on('error', reject)
      sent.end(body)
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}
