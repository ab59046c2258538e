import { createParser, type EventSourceMessage, type EventSourceParser } from 'eventsource-parser'

/** One server-sent event. `event` is its name. The name and the id are undefined if the stream has none. */
export type ServerEvent = EventSourceMessage

export interface EventSink {
  event(event: ServerEvent): void
  /** Called for a comment. Servers send comments to keep the connection open. */
  comment(text: string): void
  /** @param ms time in milliseconds that a client must wait before it opens the stream again */
  retry(ms: number): void
  /** Called for an event that is too long. `push` must not be called afterwards. */
  tooLong(): void
}

/** Maximum number of characters of one event. */
const MAX_EVENT_CHARS = 64 * 1024 * 1024

/** Parses a stream of server-sent events. A chunk can end at any byte, even inside of a character. */
export class EventReader {
  readonly #parser: EventSourceParser
  readonly #decoder = new TextDecoder()

  constructor(sink: EventSink) {
    this.#parser = createParser({
      maxBufferSize: MAX_EVENT_CHARS,
      onEvent: event => sink.event(event),
      onComment: text => sink.comment(text),
      onRetry: ms => sink.retry(ms),
      onError: ({ type }) => {
        if (type === 'max-buffer-size-exceeded') sink.tooLong()
      },
    })
  }

  push(chunk: Buffer): void {
    this.#parser.feed(this.#decoder.decode(chunk, { stream: true }))
  }
}

/** Formats an event for a stream. */
export function eventText({ event, data, id }: ServerEvent): string {
  const lines = [
    ...(event === undefined ? [] : [`event: ${event}`]),
    ...(id === undefined ? [] : [`id: ${id}`]),
    ...data.split('\n').map(line => `data: ${line}`),
  ]
  return `${lines.join('\n')}\n\n`
}
