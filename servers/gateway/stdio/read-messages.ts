import { EventReader } from '../proxy/event-reader.js'
import type { UpstreamAnswer } from '../proxy/http-upstream.js'
import { readAnswer } from '../proxy/read-answer.js'
import { excerpt, isEventStream } from '../proxy/send-answer.js'

export interface MessageSink {
  message(message: unknown): void
  /** No more will come. @param why what was wrong with it; undefined for a proper end */
  ended(why: string | undefined): void
}

/** The messages of an answer, whether it is one body or a stream. */
export function readMessages(answer: UpstreamAnswer, sink: MessageSink): void {
  const { status, body } = answer
  if (status < 300 && isEventStream(answer)) {
    readEvents(answer, sink)
    return
  }
  readAnswer(body, read => {
    if (!read.ok) sink.ended(read.why)
    else if (status === 401 || status === 407)
      sink.ended(`did not take this gateway's credential (HTTP ${status})`)
    else if (status >= 300) sink.ended(`answered HTTP ${status}${excerpt(read.text)}`)
    else {
      const messages = parsed(read.text)
      for (const message of messages ?? []) sink.message(message)
      // Nobody is told what came instead: a list that cannot be read may name what the policy hides.
      sink.ended(messages === undefined ? 'answered what is no answer to it' : undefined)
    }
  })
}

function readEvents({ body }: UpstreamAnswer, sink: MessageSink): void {
  let over = false
  const end = (why?: string) => {
    if (over) return
    over = true
    body.destroy()
    sink.ended(why)
  }
  const reader = new EventReader({
    comment: () => undefined,
    tooLong: () => end('sent an event that is too long to be looked at'),
    event: ({ data = '' }) => {
      if (over || data.trim() === '') return
      const messages = parsed(data)
      if (messages === undefined) end('sent an event that is not JSON')
      for (const message of messages ?? []) sink.message(message)
    },
  })
  body.read({
    data: piece => {
      if (!over) reader.push(piece)
    },
    end: () => end(),
    broken: () => end('broke off in the middle of its answer'),
  })
}

/** @returns undefined for what is not JSON */
function parsed(text: string): unknown[] | undefined {
  try {
    const message: unknown = JSON.parse(text)
    return Array.isArray(message) ? message : [message]
  } catch {
    return undefined
  }
}
