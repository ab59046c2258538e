import type { z } from 'zod'
import type { Clock } from '../../shared/clock/clock.js'
import { Refusal } from '../../shared/errors.js'
import { sendText } from '../../shared/http/answers.js'
import { checkedOperation } from '../../shared/http/checked-operation.js'
import type { Operation } from '../../shared/http/operation.js'
import { SseStream } from '../../shared/http/sse.js'
import { type Changed, ChangeFeed, type ChangeSource, type EventFormatter } from './change-feed.js'

const TYPE = 'text/event-stream'

export interface ChangeStreamOptions<Query extends z.ZodObject, Entry extends Changed> {
  path: string
  summary: string
  query: Query
  source: ChangeSource<Entry>
  /** The clock of machine time, for the keep-alives of the connection. */
  machine: Clock
  /**
   * Returns a function that formats the events which match a query. Throws for an invalid query, before the
   * event stream starts.
   */
  formatterOf(query: z.output<Query>): EventFormatter<Entry>
}

/**
 * Returns a `GET` operation that streams the changes of a source. By default, the stream sends only changes
 * that happen later. With the query parameter `after`, it first sends the stored entries. With the header
 * `Last-Event-ID`, it continues after that event.
 */
export function changeStream<
  Query extends z.ZodObject<{ after: z.ZodType<number | undefined> }>,
  Entry extends Changed,
>({ path, summary, query, source, machine, formatterOf }: ChangeStreamOptions<Query, Entry>): Operation {
  return checkedOperation({
    method: 'GET',
    path,
    summary,
    query,
    answer: TYPE,
    run({ query: given, request, response }): undefined {
      const resume = resumePosition(request.headers['last-event-id'])
      if (request.method === 'HEAD') return sendText(response, 200, TYPE, '')
      const formatEvent = formatterOf(given)
      // With `after`, the feed reads all stored entries. `formatEvent` leaves out those with a seq up to
      // `after`.
      const after = resume ?? (given.after === undefined ? source.changes : 0)
      const feed = new ChangeFeed(source, formatEvent, after)
      // A closed response emits no further `close` event, so a feed for such a response would never end.
      if (!response.closed) feed.run(new SseStream(response, machine, {}), response)
    },
  })
}

/**
 * Returns the number of the change that a `Last-Event-ID` header names. Returns undefined without the header.
 *
 * @throws Refusal `bad_query` if the header is not the id of an event
 */
function resumePosition(header: string | string[] | undefined): number | undefined {
  if (header === undefined || header === '') return undefined
  const text = String(header)
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new Refusal(
    'bad_query',
    `Last-Event-ID is ${JSON.stringify(text)}`,
    'send the id of the last event exactly as the stream sent it',
  )
}
