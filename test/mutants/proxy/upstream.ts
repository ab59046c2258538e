import { isObject } from '#built/shared/util/objects.js'
import type { Message } from './hooks.js'
import { HttpAnswer } from './policy-gateway.js'

/** The context of one message to the upstream. */
export interface Exchange {
  readonly headers: Readonly<Record<string, string>>
  readonly signal?: AbortSignal | undefined
  /** Gets the messages that come before the answer. */
  emit(message: Message): void
  /** Gets status and headers of an HTTP response. */
  responded?(response: Response): void
}

/** A server behind the gateway. */
export interface Upstream {
  /** Sends one message. Resolves to its answer, or to undefined for one that has none. @throws HttpAnswer */
  send(message: Message, exchange: Exchange): Promise<Message | undefined>
  close(): void
}

/** An MCP server over Streamable HTTP: a POST for each message. */
export class HttpUpstream implements Upstream {
  readonly url: string

  constructor(url: string) {
    this.url = url
  }

  async send(message: Message, { headers, signal, emit, responded }: Exchange): Promise<Message | undefined> {
    const response = await fetch(this.url, {
      method: 'POST',
      headers: {
        ...headers,
        'Content-Type': 'application/json',
        Accept: 'application/json, text/event-stream',
      },
      body: JSON.stringify(message),
      ...(signal !== undefined && { signal }),
    })
    responded?.(response)
    const expected = 'method' in message && 'id' in message
    let answer: Message | undefined
    for await (const received of messagesOf(response)) {
      if (expected && received.id === message.id && !('method' in received)) answer = received
      else if (response.ok) emit(received)
      else throw new HttpAnswer(response.status, JSON.stringify(received))
    }
    if (answer !== undefined || (response.ok && !expected)) return answer
    if (response.status === 401)
      throw new HttpAnswer(502, 'the upstream refused the credential', 'text/plain')
    if (response.ok) throw new HttpAnswer(502, 'the upstream gave no answer', 'text/plain')
    throw new HttpAnswer(response.status, 'the upstream failed', 'text/plain')
  }

  close(): void {}
}

/** The JSON-RPC messages in a response, as JSON or as events. */
export async function* messagesOf(response: Response): AsyncGenerator<Message> {
  if (response.headers.get('content-type')?.startsWith('text/event-stream') !== true) {
    const body = parsed(await response.text())
    yield* (Array.isArray(body) ? body : [body]).filter(isObject)
    return
  }
  let rest = ''
  const decoder = new TextDecoder()
  for await (const chunk of response.body ?? []) {
    rest += decoder.decode(chunk, { stream: true })
    const events = rest.split(/\r?\n\r?\n/)
    rest = events.pop() ?? ''
    for (const event of events) {
      const data = event
        .split(/\r?\n/)
        .flatMap(line => (line.startsWith('data:') ? [line.slice(5).trimStart()] : []))
      const message = parsed(data.join('\n'))
      if (isObject(message)) yield message
    }
  }
}

/** The value of a JSON text. Undefined if the text is not JSON. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
