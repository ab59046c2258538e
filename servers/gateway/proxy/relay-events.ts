import type { ServerResponse } from 'node:http'
import { formatJson } from '../messages.js'
import type { AnswerBody } from './response-body.js'
import { EventReader, type EventSink, eventText, type ServerEvent } from './sse-parser.js'

export interface RelayedEvents {
  /** Returns the message that the caller gets. Returns the same object if nothing was changed. */
  message(message: unknown): unknown
  /**
   * Called after the last event.
   *
   * @param why the reason for an early end, as a clause that follows `the upstream`. Undefined for a regular
   *   end
   * @param resumable true if the caller can get the remaining events on another stream
   */
  ended(why: string | undefined, resumable: boolean): void
}

/** Passes the events of the upstream to the caller. Each event is passed on as soon as it is complete. */
export function relayEvents(body: AnswerBody, response: ServerResponse, relayed: RelayedEvents): void {
  let resumable = false
  let over = false
  const end = (why?: string) => {
    if (over) return
    over = true
    relayed.ended(why, resumable)
  }
  const breakOff = (why: string) => {
    body.destroy()
    // The caller must not resume the stream, because it would get the same broken event again.
    resumable = false
    end(why)
  }
  const write = (text: string) => {
    if (over || response.write(text)) return
    body.pause()
    response.once('drain', () => body.resume())
  }
  const sink: EventSink = {
    comment: text => write(`: ${text}\n\n`),
    retry: ms => write(`retry: ${ms}\n\n`),
    tooLong: () => breakOff('sent an event that is too long'),
    event(event: ServerEvent) {
      if (over) return
      if (event.id !== undefined) resumable = true
      if (event.data.trim() === '') {
        write(eventText(event))
        return
      }
      let message: unknown
      try {
        message = JSON.parse(event.data)
      } catch {
        breakOff('sent an event that is not JSON')
        return
      }
      const shown = relayed.message(message)
      const text = shown === message ? event.data : formatJson(shown)
      if (text === undefined) breakOff('sent an event that is nested too deeply')
      else write(eventText({ ...event, data: text }))
    },
  }
  const reader = new EventReader(sink)
  body.read({
    data: piece => {
      if (!over) reader.push(piece)
    },
    end: () => end(),
    broken: () => end('broke off in the middle of its answer'),
  })
}
