import { createParser, type EventSourceMessage, type EventSourceParser } from 'eventsource-parser'

/** One server-sent event. Its name and its id are undefined if the stream does not give them. */
export type ServerEvent = EventSourceMessage

export interface EventSink {
  event(event: ServerEvent): void
  /** A line that is no part of an event: it keeps the connection open. */
  comment(text: string): void
  /** @param ms how long a client is to wait before it opens the stream again */
  retry(ms: number): void
  /** An event is longer than this gateway keeps. Nothing may be pushed after it. */
  tooLong(): void
}

/** The most characters of one event. */
const MAX_EVENT_CHARS = 64 * 1024 * 1024

/** Reads a stream of server-sent events from pieces that begin and end anywhere. */
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
