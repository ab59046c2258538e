import { Refusal } from '../../errors.js'
import { SseStream } from '../../http/sse.js'
import type { Instance } from '../../instance.js'
import { text } from '../answers.js'
import { JournalFeed } from '../journal-feed.js'
import { type Operation, rawOperation } from '../operation.js'
import { streamQuery } from '../schemas/journal.js'

const TYPE = 'text/event-stream'

/** `GET /journal/stream`: what arrives, as it does. */
export function journalStreamRoute({ journal, machine }: Pick<Instance, 'journal' | 'machine'>): Operation {
  return rawOperation({
    method: 'GET',
    path: '/journal/stream',
    summary: 'What arrives, as events: opened, ended, cleared, and gap where some are no longer kept',
    query: streamQuery,
    answer: TYPE,
    async run({ after, ...where }, call) {
      const resume = resumed(call.headers['last-event-id'])
      if (call.method === 'HEAD') return text(200, TYPE, '')
      // Checked before anything is sent: an event stream cannot be refused any more.
      journal.entries(where)
      const feed = new JournalFeed(journal, where, {
        // From a seq on means: all that is kept of those, and whatever becomes of them.
        afterSeq: after ?? 0,
        afterChange: resume ?? (after === undefined ? journal.changes : 0),
      })
      // Of one that has hung up already nothing would tell that it has.
      if (!call.response.closed) feed.run(new SseStream(call.response, machine, {}), call.response)
      return undefined
    },
  })
}

/** @throws Refusal `bad_query` for an id that no event had */
function resumed(header: string | string[] | undefined): number | undefined {
  if (header === undefined || header === '') return undefined
  const text = String(header)
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new Refusal(
    'bad_query',
    `Last-Event-ID is ${JSON.stringify(text)}`,
    'send the id of an event as it came',
  )
}
