import type { Operation } from '../../../shared/http/operation.js'
import type { Instance } from '../../../shared/instance.js'
import { matches } from '../../../shared/journal/where.js'
import { changeStream } from '../change-stream.js'
import { streamQuery } from '../schemas/journal.js'

/** `GET /journal/stream`: what arrives, as it does: each entry once as it is opened and once as it ends. */
export function journalStreamRoute({ journal, machine }: Pick<Instance, 'journal' | 'machine'>): Operation {
  return changeStream({
    path: '/journal/stream',
    summary: 'What arrives, as events: opened, ended, cleared, and gap where some are no longer kept',
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
