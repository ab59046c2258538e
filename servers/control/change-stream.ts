import type { z } from 'zod'
import type { Clock } from '../../shared/clock/clock.js'
import { Refusal } from '../../shared/errors.js'
import { sendText } from '../../shared/http/answers.js'
import { checkedOperation } from '../../shared/http/checked-operation.js'
import type { Operation } from '../../shared/http/operation.js'
import { SseStream } from '../../shared/http/sse.js'
import { type Changed, ChangeFeed, type ChangeSource, type Teller } from './change-feed.js'

const TYPE = 'text/event-stream'

export interface ChangeStreamOptions<Query extends z.ZodObject, Entry extends Changed> {
  path: string
  summary: string
  query: Query
  source: ChangeSource<Entry>
  /** The clock of machine time, for the keep-alives of the connection. */
  machine: Clock
  /**
   * Returns the function that makes events for a query. Throws for a bad query, before the event stream
   * starts.
   */
  tellerOf(query: z.output<Query>): Teller<Entry>
}

/**
 * Returns a `GET` operation that streams the changes of a source. The stream begins with the next change.
 * With `after`, it begins with the oldest entry that is kept. With `Last-Event-ID`, it continues after that
 * event.
 */
export function changeStream<
  Query extends z.ZodObject<{ after: z.ZodType<number | undefined> }>,
  Entry extends Changed,
>({ path, summary, query, source, machine, tellerOf }: ChangeStreamOptions<Query, Entry>): Operation {
  return checkedOperation({
    method: 'GET',
    path,
    summary,
    query,
    answer: TYPE,
    run({ query: given, request, response }): undefined {
      const resume = resumed(request.headers['last-event-id'])
      if (request.method === 'HEAD') return sendText(response, 200, TYPE, '')
      const tell = tellerOf(given)
      // With `after`, the feed reads all entries that are kept. `tell` leaves out those up to that seq.
      const after = resume ?? (given.after === undefined ? source.changes : 0)
      const feed = new ChangeFeed(source, tell, after)
      // A response that is already closed has no further `close` event, so its feed would never end.
      if (!response.closed) feed.run(new SseStream(response, machine, {}), response)
    },
  })
}

/**
 * Returns the change to continue after.
 *
 * @throws Refusal `bad_query` for a text that is not the id of an event
 */
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
