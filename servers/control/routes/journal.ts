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
      summary: 'The entries of the journal, the oldest first',
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
      summary: 'One entry with the answer to its request',
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
      summary: 'Remove all entries',
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
      summary: 'Wait until enough entries match. Entries from before also count. 408 names the nearest miss',
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
      summary: 'Prove that no entry matches. 409 lists the entries that match',
      body: nothingRequest,
      bodyCode: 'bad_where',
      answer: proven,
      refusals: [409, 503],
      async run({ body }) {
        const complete = await journal.refresh()
        journal.expectNothing(body.where)
        if (!complete) throw journalIncomplete()
        return { ok: true } as const
      },
    }),
  ]
}

function journalIncomplete(): Refusal {
  return new Refusal(
    'journal_incomplete',
    'no known entry matches, but the entries of some replicas could not be read',
    'ask again. GET /replicas lists the replicas, and GET /readyz checks the store',
  )
}

/**
 * Returns `GET /journal/stream`, which sends each entry when its request arrives and again when it has ended.
 */
export function journalStreamRoute({ journal, machine }: Pick<Instance, 'journal' | 'machine'>): Operation {
  return changeStream({
    path: '/journal/stream',
    summary: 'The entries as events: opened, ended, cleared, and gap for entries that are no longer kept',
    query: streamQuery,
    source: journal,
    machine,
    formatterOf({ after = 0, ...where }) {
      const expected = journal.expected(where)
      return entry => {
        if (entry.seq <= after || !matches(entry, expected)) return undefined
        return { name: entry.outcome === undefined ? 'opened' : 'ended', json: JSON.stringify(entry) }
      }
    },
  })
}
