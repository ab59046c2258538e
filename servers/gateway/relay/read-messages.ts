import { EventReader } from '../upstream/event-reader.js'
import type { UpstreamAnswer } from '../upstream/http-upstream.js'
import { readAnswer } from '../upstream/read-answer.js'

export interface MessageSink {
  message(message: unknown): void
  /** No more will come. @param why what was wrong with it; undefined for a proper end */
  ended(why: string | undefined): void
}

/** Part of a body that is no answer goes into the error that stands for it: enough to recognize it. */
const SHOWN_CHARS = 200

/** The messages of an answer, whether it is one body or a stream. */
export function readMessages(answer: UpstreamAnswer, sink: MessageSink): void {
  const { status, headers, body } = answer
  if (status < 300 && /^text\/event-stream\b/i.test(headers['content-type'] ?? '')) {
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
  body.on('data', (chunk: Buffer) => {
    if (!over) reader.push(chunk)
  })
  body.on('end', () => end())
  body.on('error', () => end('broke off in the middle of its answer'))
  body.on('close', () => end('broke off in the middle of its answer'))
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

function excerpt(text: string): string {
  const short = text.replace(/\s+/g, ' ').trim().slice(0, SHOWN_CHARS)
  return short === '' ? '' : `: ${short}`
}
