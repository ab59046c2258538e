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
  /** The machine's time, by which the connection is kept open. */
  machine: Clock
  /**
   * Returns the teller for a query. Rejects a bad query, because an event stream cannot be rejected after its start.
   */
  tellerOf(query: z.output<Query>): Teller<Entry>
}

/**
 * A `GET` that streams the changes of a source: from now on, from the beginning with `after`, or on from
 * `Last-Event-ID`.
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
      // From a seq on means: all that is kept of those, and whatever becomes of them.
      const after = resume ?? (given.after === undefined ? source.changes : 0)
      const feed = new ChangeFeed(source, tell, after)
      // Of one that has hung up already nothing would tell that it has.
      if (!response.closed) feed.run(new SseStream(response, machine, {}), response)
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
