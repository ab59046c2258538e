import type { ServerResponse } from 'node:http'
import { formatJson } from '../messages.js'
import type { AnswerBody } from './response-body.js'
import { EventReader, type EventSink, eventText, type ServerEvent } from './sse-parser.js'

export interface RelayedEvents {
  /** A message as the caller is to see it: the same object if nothing is to be changed. */
  message(message: unknown): unknown
  /**
   * No more will come.
   *
   * @param why in what way it ended too soon; undefined for a proper end
   * @param resumable whether the rest may be asked for on another stream
   */
  ended(why: string | undefined, resumable: boolean): void
}

/** Passes on the upstream's events one by one, each as soon as it is whole. */
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
    // A client that asks for a broken event again would get it broken again.
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
