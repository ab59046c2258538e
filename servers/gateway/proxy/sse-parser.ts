import { StringDecoder } from 'node:string_decoder'

/** One server-sent event, or a comment between events. */
export interface ServerEvent {
  /** Empty if the event names none. */
  event: string
  /** Undefined where there is none: the event tells of its id alone. */
  data: string | undefined
  id: string | undefined
  retry: string | undefined
}

export interface EventSink {
  event(event: ServerEvent): void
  /** A line that is no part of an event: it keeps the connection open. */
  comment(text: string): void
  /** An event is longer than this gateway holds. */
  tooLong(): void
}

/** The most characters of one event. */
const MAX_EVENT_CHARS = 64 * 1024 * 1024

const LINE_END = /[\r\n]/g

/** Reads a stream of server-sent events, wherever its pieces begin and end, and however its lines do. */
export class EventReader {
  readonly #sink: EventSink
  readonly #decoder = new StringDecoder('utf8')
  /** The line that has not ended yet, in pieces: a long event comes in many. */
  #parts: string[] = []
  #size = 0
  /** The last piece ended with a carriage return: a line feed next belongs to it. */
  #afterReturn = false
  #data: string[] = []
  #event = ''
  #id: string | undefined
  #retry: string | undefined
  #begun = false

  constructor(sink: EventSink) {
    this.#sink = sink
  }

  push(chunk: Buffer): void {
    let text = this.#decoder.write(chunk)
    if (text === '') return
    if (this.#afterReturn && text.startsWith('\n')) text = text.slice(1)
    this.#afterReturn = text.endsWith('\r')
    let start = 0
    LINE_END.lastIndex = 0
    for (let found = LINE_END.exec(text); found !== null; found = LINE_END.exec(text)) {
      const end = found.index
      this.#parts.push(text.slice(start, end))
      this.#line(this.#parts.length === 1 ? (this.#parts[0] ?? '') : this.#parts.join(''))
      this.#parts = []
      start = found[0] === '\r' && text[end + 1] === '\n' ? end + 2 : end + 1
      LINE_END.lastIndex = start
    }
    if (start >= text.length) return
    this.#parts.push(text.slice(start))
    this.#grow(text.length - start)
  }

  #line(line: string): void {
    if (line === '') this.#dispatch()
    else if (line.startsWith(':')) this.#sink.comment(line.slice(1))
    else {
      const colon = line.indexOf(':')
      const name = colon < 0 ? line : line.slice(0, colon)
      const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)
      this.#field(name, value)
    }
  }

  #field(name: string, value: string): void {
    if (name === 'data') {
      this.#data.push(value)
      this.#grow(0)
    } else if (name === 'event') this.#event = value
    else if (name === 'id') this.#id = value
    else if (name === 'retry') this.#retry = value
    else return
    this.#begun = true
  }

  #dispatch(): void {
    this.#size = 0
    if (!this.#begun) return
    const data = this.#data.length === 0 ? undefined : this.#data.join('\n')
    const event = { event: this.#event, data, id: this.#id, retry: this.#retry }
    this.#data = []
    this.#event = ''
    this.#id = undefined
    this.#retry = undefined
    this.#begun = false
    this.#sink.event(event)
  }

  #grow(chars: number): void {
    this.#size += chars
    if (this.#size > MAX_EVENT_CHARS) this.#sink.tooLong()
  }
}

/** An event as text. */
export function eventText({ event, data, id, retry }: ServerEvent): string {
  const lines = [
    ...(event === '' ? [] : [`event: ${event}`]),
    ...(id === undefined ? [] : [`id: ${id}`]),
    ...(retry === undefined ? [] : [`retry: ${retry}`]),
    ...(data === undefined ? [] : data.split('\n').map(line => `data: ${line}`)),
  ]
  return `${lines.join('\n')}\n\n`
}
