import { Refusal } from '../../../shared/errors.js'
import { checkedOperation } from '../../../shared/http/checked-operation.js'
import { hangUpSignal, type Operation } from '../../../shared/http/operation.js'
import type { Instance } from '../../../shared/instance.js'
import type { Journal } from '../../../shared/journal/journal.js'
import { matches } from '../../../shared/journal/where.js'
import { checked } from '../../../shared/util/check.js'
import { changeStream } from '../change-stream.js'
import {
  entryAnswer,
  entryPath,
  nothingRequest,
  pageAnswer,
  pageQuery,
  proven,
  streamQuery,
  waitAnswer,
  waitRequest,
} from '../schemas/journal.js'

/** Returns the routes of the journal, except its stream. */
export function journalRoutes(journal: Journal): Operation[] {
  return [
    checkedOperation({
      method: 'GET',
      path: '/journal',
      summary: 'The entries, the oldest first',
      query: pageQuery,
      answer: pageAnswer,
      async run({ query }) {
        await journal.refresh()
        const { entries, next, dropped } = journal.page(query)
        return { entries: entries.map(entry => entry.toJSON()), next, dropped }
      },
    }),
    checkedOperation({
      method: 'GET',
      path: '/journal/entries/:seq',
      summary: 'One of what arrived, with what it was answered',
      answer: entryAnswer,
      refusals: [404],
      run({ request }) {
        const { seq } = checked(entryPath, request.params, 'bad_path', 'path')
        const { entry, answer } = journal.find(seq)
        return { entry: entry.toJSON(), answer }
      },
    }),
    checkedOperation({
      method: 'DELETE',
      path: '/journal',
      summary: 'Forget what arrived so far',
      answer: pageAnswer,
      refusals: [503],
      async run() {
        await journal.clear()
        return { entries: [], next: 0, dropped: 0 }
      },
    }),
    checkedOperation({
      method: 'POST',
      path: '/journal/wait',
      summary: 'Wait for what has arrived or will; 408 names the nearest miss',
      body: waitRequest,
      bodyCode: 'bad_wait',
      answer: waitAnswer,
      refusals: [408, 409, 503],
      async run({ body: { where, ...options }, response }) {
        const entries = await journal.waitFor(where, { ...options, signal: hangUpSignal(response) })
        return { entries: entries.map(entry => entry.toJSON()) }
      },
    }),
    checkedOperation({
      method: 'POST',
      path: '/journal/expect-nothing',
      summary: 'Prove that nothing of the kind arrived; 409 lists what did',
      body: nothingRequest,
      bodyCode: 'bad_where',
      answer: proven,
      refusals: [409, 503],
      async run({ body }) {
        const sure = await journal.refresh()
        journal.expectNothing(body.where)
        if (!sure) throw notSure()
        return { ok: true } as const
      },
    }),
  ]
}

function notSure(): Refusal {
  return new Refusal(
    'journal_incomplete',
    'nothing of the kind is known, but not every replica could be asked what reached it',
    'ask again; GET /replicas shows which there are, and /readyz whether the store is there',
  )
}

/** Returns `GET /journal/stream`, which sends each entry when it is opened and again when it ends. */
export function journalStreamRoute({ journal, machine }: Pick<Instance, 'journal' | 'machine'>): Operation {
  return changeStream({
    path: '/journal/stream',
    summary: 'The entries as events: opened, ended, cleared, and gap for entries that are no longer kept',
    query: streamQuery,
    source: journal,
    machine,
    tellerOf({ after = 0, ...where }) {
      const expected = journal.expected(where)
      return entry => {
        if (entry.seq <= after || !matches(entry, expected)) return undefined
        return { name: entry.outcome === undefined ? 'opened' : 'ended', json: JSON.stringify(entry) }
      }
    },
  })
}
