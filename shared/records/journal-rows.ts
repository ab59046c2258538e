import { z } from 'zod'
import { type EntryJson, entryJson } from '../journal/entry-json.js'
import { statement } from './statement.js'

/** What is behind a place, and the epoch it is of; where there is nothing, the epoch alone. */
export interface JournalRow {
  readonly epoch: number
  readonly place: number | null
  /** NULL: it is the replica's own, or tells only what was lost. */
  readonly entry: string | null
  readonly lost: number | null
}

/** $1: how many. `after` is the place behind which they begin, `older` how many were let go or are not among them. */
export const LATEST = statement(`
  WITH latest AS (SELECT place FROM journal ORDER BY place DESC LIMIT $1)
  SELECT epoch, coalesce((SELECT min(place) FROM latest) - 1, 0)::bigint AS after,
         (dropped + (SELECT count(*) FROM journal) - (SELECT count(*) FROM latest))::bigint AS older
  FROM journal_state`)

/** Entries read at once. */
export const PAGE = 500

/** $1: the place, $2: the replica. How many is written out, and that the state is one row: what it does not know, the planner takes for many. */
export const BEHIND = statement(`
  SELECT epoch, place, entry, lost
  FROM (SELECT epoch FROM journal_state LIMIT 1) AS state LEFT JOIN LATERAL (
    SELECT place, CASE WHEN replica <> $2 THEN entry END AS entry, CASE WHEN replica <> $2 THEN lost ELSE 0 END AS lost
    FROM journal WHERE place > $1 ORDER BY place LIMIT ${PAGE}
  ) AS behind ON true
  ORDER BY place`)

/** Whoever changes the journal does so alone. */
export const LOCK = statement(
  "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' journal', 0))",
)

/** $4: the epoch that they were written for. */
export const WRITE = statement(`
  INSERT INTO journal (replica, seq, entry)
  SELECT $1, given.seq, given.entry
  FROM journal_state, unnest($2::bigint[], $3::text[]) WITH ORDINALITY AS given (seq, entry, nth)
  WHERE epoch = $4 ORDER BY nth
  ON CONFLICT DO NOTHING`)

export const LOST = statement(
  'INSERT INTO journal (replica, lost) SELECT $1, $2 FROM journal_state WHERE epoch = $3',
)

export const CLEAR = statement(`
  WITH gone AS (DELETE FROM journal)
  UPDATE journal_state SET epoch = epoch + 1, dropped = 0 RETURNING epoch`)

/** $1: how many are kept. */
export const TRIM = statement(`
  WITH gone AS (
    DELETE FROM journal WHERE place <= (SELECT max(place) - $1 FROM journal) RETURNING lost
  )
  UPDATE journal_state SET dropped = dropped + (SELECT count(*) + coalesce(sum(lost), 0) FROM gone)`)

/** A newer version may write more than this one knows. */
const known = z.object(entryJson.shape)

/** An entry that another replica has written; undefined if it is none. */
export function adopted(text: string): EntryJson | undefined {
  try {
    return known.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}
