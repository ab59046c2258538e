import type { ServerResponse } from 'node:http'
import { formatJson } from '../messages.js'
import type { AnswerBody } from './response-body.js'
import { EventReader, type EventSink, eventText, type ServerEvent } from './sse-parser.js'

export interface RelayedEvents {
  /** Returns the message for the caller. Returns the same object if nothing changes. */
  message(message: unknown): unknown
  /**
   * Called when no more events follow.
   *
   * @param why the reason for an early end. Undefined for a regular end
   * @param resumable whether the caller can request the rest on another stream
   */
  ended(why: string | undefined, resumable: boolean): void
}

/** Passes on the upstream's events. Each event is passed on when it is complete. */
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
    // A client that requests a broken event again would receive the same broken event.
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
    tooLong: () => breakOff('sent an event that is too long to be looked at'),
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
