import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { isObject } from '#built/shared/util/objects.js'
import type { Caller, Message } from './hooks.js'
import { errorResponse, HttpAnswer, type PolicyGateway } from './policy-gateway.js'
import { type Exchange, HttpUpstream, messagesOf, parsed, type Upstream } from './upstream.js'

export interface StdioFrontOptions {
  gateway: PolicyGateway
  upstream: Upstream
  /** The upstream's own `Authorization` header. */
  credential?: string | undefined
  input: Readable
  output: Writable
}

/** The gateway on a pipe, for one client. Ends when `input` ends and every message is answered. */
export async function serveStdio(options: StdioFrontOptions): Promise<void> {
  const { gateway, upstream, input, output } = options
  const write = (message: unknown) => output.write(`${JSON.stringify(message)}\n`)
  const caller: Caller = {
    grant: 'default',
    authorization: undefined,
    session: 'pipe',
    emit: write,
    setHeader: () => undefined,
  }
  const credential = gateway.credential(options.credential, caller)
  const exchange: Exchange = {
    headers: credential === undefined ? {} : { Authorization: credential },
    emit: message => gateway.emit(message, caller),
  }
  const line = async (text: string) => {
    const body = parsed(text)
    if (body === undefined) return write(errorResponse(null, -32700, 'Parse error'))
    const send = (message: Message) => upstream.send(message, exchange)
    const answers = await gateway.handle(body, caller, send).catch(error => failures(body, error))
    if (Array.isArray(body)) return answers.length > 0 && write(answers)
    for (const answer of answers) write(answer)
  }
  const open = new Set<Promise<unknown>>()
  for await (const text of createInterface({ input })) {
    const handled = line(text).finally(() => open.delete(handled))
    open.add(handled)
  }
  await Promise.all(open)
  upstream.close()
}

/** An error for each request of a body that could not be handled. */
function failures(body: unknown, error: unknown): Message[] {
  const why =
    error instanceof HttpAnswer ? `${error.message}: ${error.body}` : 'the upstream cannot be reached'
  return (Array.isArray(body) ? body : [body])
    .filter(message => isObject(message) && 'id' in message && 'method' in message)
    .map(({ id }) => errorResponse(id, -32000, why))
}

/** A server over Streamable HTTP for one client: keeps the session and listens for messages of the server. */
export class SessionUpstream implements Upstream {
  readonly #upstream: HttpUpstream
  readonly #closed = new AbortController()
  #session: Record<string, string> = {}

  constructor(url: string) {
    this.#upstream = new HttpUpstream(url)
  }

  async send(message: Message, exchange: Exchange): Promise<Message | undefined> {
    const headers = { ...exchange.headers, ...this.#session }
    const answer = await this.#upstream.send(message, {
      ...exchange,
      headers,
      responded: ({ headers: answered }) => {
        const id = answered.get('mcp-session-id')
        if (id !== null) this.#session = { ...this.#session, 'Mcp-Session-Id': id }
      },
    })
    if (message.method === 'initialize' && isObject(answer?.result)) {
      this.#session = { ...this.#session, 'MCP-Protocol-Version': String(answer.result.protocolVersion) }
    }
    if (message.method === 'notifications/initialized') this.#listen(exchange)
    return answer
  }

  close(): void {
    this.#closed.abort()
    if (this.#session['Mcp-Session-Id'] === undefined) return
    void fetch(this.#upstream.url, { method: 'DELETE', headers: this.#session }).catch(() => undefined)
  }

  /** The stream of the session. A server need not have one. */
  async #listen({ headers, emit }: Exchange): Promise<void> {
    try {
      const response = await fetch(this.#upstream.url, {
        headers: { ...headers, ...this.#session, Accept: 'text/event-stream' },
        signal: this.#closed.signal,
      })
      if (!response.ok) return
      for await (const message of messagesOf(response)) emit(message)
    } catch {
      // The stream ends with the session.
    }
  }
}
