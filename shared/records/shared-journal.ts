import { z } from 'zod'
import type { Clock } from '../clock/clock.js'
import { Refusal } from '../errors.js'
import { type EntryJson, entryJson, type JournalEntry } from '../journal/entry.js'
import type { Journal } from '../journal/journal.js'
import type { JournalShare, JournalSink } from '../journal/share.js'
import { OneAtATime } from '../util/locks.js'
import type { Log } from '../util/log.js'
import { JournalQueue } from './journal-queue.js'
import { Progress } from './progress.js'
import type { Records } from './records.js'
import type { StoreDatabase } from './store-database.js'

/**
 * A row of the store's journal, and the journal's current generation. If there is no row to read, the query
 * returns only the generation, and the other fields are null.
 */
interface JournalRow {
  readonly generation: number
  readonly place: number | null
  /** The entry as JSON. Null: this replica wrote the row, or the row only counts lost entries. */
  readonly entry: string | null
  readonly lost: number | null
}

/**
 * Finds the position before the latest $1 rows (`after`), and counts the older entries, including deleted
 * ones (`older`).
 */
const LATEST = `
  WITH latest AS (SELECT place FROM journal ORDER BY place DESC LIMIT $1)
  SELECT generation, coalesce((SELECT min(place) FROM latest) - 1, 0)::bigint AS after,
         (dropped + (SELECT count(*) FROM journal) - (SELECT count(*) FROM latest))::bigint AS older
  FROM journal_state`

/** Maximum number of rows that one query returns. */
const PAGE = 500

/**
 * Reads the rows after position $1. Rows of replica $2, which is the reader, come without their entries.
 *
 * Both limits are written as numbers. Without them, PostgreSQL plans for many rows, and the query is slower.
 */
const READ_AFTER = `
  SELECT generation, place, entry, lost
  FROM (SELECT generation FROM journal_state LIMIT 1) AS state LEFT JOIN LATERAL (
    SELECT place, CASE WHEN replica <> $2 THEN entry END AS entry, CASE WHEN replica <> $2 THEN lost ELSE 0 END AS lost
    FROM journal WHERE place > $1 ORDER BY place LIMIT ${PAGE}
  ) AS behind ON true
  ORDER BY place`

/** Locks the journal for one writer at a time. */
const LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' journal', 0))"

/**
 * Inserts entries with the numbers $2 and the texts $3 for replica $1. Inserts nothing if $4 is not the
 * current generation.
 */
const WRITE = `
  INSERT INTO journal (replica, seq, entry)
  SELECT $1, given.seq, given.entry
  FROM journal_state, unnest($2::bigint[], $3::text[]) WITH ORDINALITY AS given (seq, entry, nth)
  WHERE generation = $4 ORDER BY nth
  ON CONFLICT DO NOTHING`

const LOST = 'INSERT INTO journal (replica, lost) SELECT $1, $2 FROM journal_state WHERE generation = $3'

const CLEAR = `
  WITH gone AS (DELETE FROM journal)
  UPDATE journal_state SET generation = generation + 1, dropped = 0 RETURNING generation`

/** Deletes all but the latest $1 rows, and adds the number of deleted and lost entries to `dropped`. */
const TRIM = `
  WITH gone AS (
    DELETE FROM journal WHERE place <= (SELECT max(place) - $1 FROM journal) RETURNING lost
  )
  UPDATE journal_state SET dropped = dropped + (SELECT count(*) + coalesce(sum(lost), 0) FROM gone)`

/** Ignores unknown fields, because a newer version may write additional ones. */
const known = z.object(entryJson.shape)

/** Parses an entry that another replica has written. Returns undefined if the text is not an entry. */
function parseEntry(text: string): EntryJson | undefined {
  try {
    return known.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}

const TOPIC = { written: 'journal-written', cleared: 'journal-cleared' }

/** The partition of the write requests. Such a request asks all replicas to write their queued entries. */
const WRITE_REQUESTS = 'store/journal/calls'

/** Maximum time that a replica waits for the other replicas to write their entries, in milliseconds. */
const WRITE_TIMEOUT_MS = 2_000

/**
 * Delay before an ended entry is written, in milliseconds. Entries that end during the delay are written
 * together. Other replicas usually receive an entry after this delay.
 */
const BATCH_DELAY_MS = 50

/**
 * Interval of reads from the store, in milliseconds. They find entries whose notice was lost. A failed write
 * is repeated after the same time.
 */
const READ_INTERVAL_MS = 2_000

/**
 * `entries`: how many entries the store keeps. `every`: how many entries a replica writes before it deletes
 * old ones.
 */
const KEPT = { entries: 100_000, every: 5_000 }

/** Maximum number of rows that a replica reads when it joins: the default size of its own journal. */
const READ_BACK = 10_000

export interface SharedJournalOptions {
  store: StoreDatabase
  records: Records
  journal: Journal
  machine: Clock
  log: Log
}

/**
 * Shares one journal among all replicas of a store. Each replica writes its ended entries without delaying
 * their calls, and reads the entries of the other replicas.
 *
 * Only one replica writes at a time, so rows become visible in the order of their positions. A replica that
 * has read up to a position has missed no earlier row.
 */
export class SharedJournal implements JournalShare {
  readonly #options: SharedJournalOptions
  readonly #sink: JournalSink
  readonly #queue = new JournalQueue()
  /** Runs reads, writes and clears one at a time. */
  readonly #lock = new OneAtATime()
  readonly #subscriptions: (() => void)[] = []
  /** Records the latest write request that each replica has completed. */
  readonly #progress: Progress
  #generation = 0
  /** The position of the last row that was read. */
  #place = 0
  #sinceTrim = 0
  /**
   * Number of clears that this replica has not finished writing to the store. While it is above 0, results of
   * reads are ignored, because they may contain cleared entries.
   */
  #clearing = 0
  #flushAt: { cancel(): void } | undefined
  #readAt: { cancel(): void } | undefined
  #closed = false

  private constructor(options: SharedJournalOptions, sink: JournalSink) {
    this.#options = options
    this.#sink = sink
    this.#progress = new Progress(options.store, 'journal')
  }

  /** Joins a journal to the store's journal, and reads the latest entries. @throws StoreUnavailable */
  static async join(options: SharedJournalOptions): Promise<SharedJournal> {
    let shared: SharedJournal | undefined
    options.journal.shareBy(sink => {
      shared = new SharedJournal(options, sink)
      return shared
    })
    if (shared === undefined) throw new Error('a journal that is off cannot be shared')
    await shared.#begin()
    return shared
  }

  /** Number of entries that have not been written yet. */
  get waiting(): number {
    return this.#queue.size
  }

  ended(entry: JournalEntry): void {
    this.#queue.add(entry)
    if (this.#queue.full) this.#flushSoon(0)
    else if (this.#flushAt === undefined) this.#flushSoon(BATCH_DELAY_MS)
  }

  async cleared(): Promise<void> {
    const { store } = this.#options
    this.#queue.clear()
    this.#clearing++
    await this.#lock.run('', async () => {
      try {
        const generation = await store.transaction(async tx => {
          tx.send(LOCK)
          const [state] = await tx.query<{ generation: number }>(CLEAR)
          tx.notify(TOPIC.cleared, String(state?.generation))
          return state?.generation ?? 0
        })
        this.#generation = Math.max(this.#generation, generation)
      } finally {
        this.#clearing--
      }
    })
    // A replica receives the notice of the clear before this request. When all have answered, all have
    // cleared their journals.
    await this.#requestWrites()
  }

  async refresh(): Promise<boolean> {
    try {
      const all = await this.#requestWrites()
      await this.#read()
      return all
    } catch (error) {
      if (error instanceof Refusal) return false
      throw error
    }
  }

  /** Leaves the shared journal. Writes the queued entries first, if the store is reachable. */
  async close(): Promise<void> {
    this.#closed = true
    this.#flushAt?.cancel()
    this.#readAt?.cancel()
    for (const leave of this.#subscriptions) leave()
    await this.flush()
    await this.#progress.leave().catch(() => undefined)
  }

  /** Writes the queued entries, if the store is reachable. */
  async flush(): Promise<void> {
    await this.#flush().catch(error => this.#logError(error))
  }

  async #begin(): Promise<void> {
    const { store, records } = this.#options
    const { notices } = store
    const read = () => void this.#read().catch(error => this.#logError(error))
    this.#subscriptions.push(
      notices.on(TOPIC.written, (_, own) => {
        if (!own) read()
      }),
      notices.on(TOPIC.cleared, (generation, own) => {
        if (!own) this.#followClear(Number(generation))
      }),
      notices.onGap(() => {
        read()
        if (this.#queue.size > 0) this.#flushSoon(0)
      }),
      records.watch(WRITE_REQUESTS, ({ own }) => {
        if (!own) void this.#completeRequest().catch(error => this.#logError(error))
      }),
    )
    const [latest] = await store.read<{ generation: number; after: number; older: number }>(LATEST, [
      READ_BACK,
    ])
    this.#generation = latest?.generation ?? 0
    this.#place = latest?.after ?? 0
    if (latest !== undefined && latest.older > 0) this.#sink.lose(latest.older)
    await this.#read()
    await this.#completeRequest()
    this.#readLater()
  }

  /**
   * Asks the other replicas to write their queued entries.
   *
   * @returns whether every live replica did so in time
   * @throws StoreUnavailable
   */
  async #requestWrites(): Promise<boolean> {
    const call = await this.#options.records.transaction(WRITE_REQUESTS, tx => {
      const calls = tx.table<number>('calls')
      const next = (calls.get('latest') ?? 0) + 1
      calls.set('latest', next)
      tx.announce()
      return next
    })
    await this.#progress.report(call)
    return (await this.#progress.waitForOthers(call, WRITE_TIMEOUT_MS)).length === 0
  }

  /** Writes the queued entries and reports the latest request as completed. */
  async #completeRequest(): Promise<void> {
    const { records } = this.#options
    const call = await records.transaction(WRITE_REQUESTS, tx => tx.table<number>('calls').get('latest') ?? 0)
    await this.#flush()
    await this.#progress.report(call)
  }

  #flushSoon(ms: number): void {
    if (this.#closed) return
    const { machine } = this.#options
    this.#flushAt?.cancel()
    this.#flushAt = machine.wakeAt(machine.now() + ms, () => {
      this.#flushAt = undefined
      void this.#flush().catch(error => {
        this.#logError(error)
        this.#flushSoon(READ_INTERVAL_MS)
      })
    })
  }

  /** Writes all queued entries. Entries stay in the queue until they are written. @throws StoreUnavailable */
  #flush(): Promise<void> {
    return this.#lock.run('', async () => {
      while (this.#queue.size > 0 || this.#queue.lost > 0) await this.#write()
    })
  }

  async #write(): Promise<void> {
    const { store } = this.#options
    const batch = this.#queue.batch()
    const { entries, lost } = batch
    const generation = this.#generation
    const seqs = entries.map(({ seq }) => seq)
    const texts = entries.map(entry => JSON.stringify(entry))
    await store.transaction(async tx => {
      tx.send(LOCK)
      if (lost > 0) tx.send(LOST, [store.replica, lost, generation])
      // An earlier attempt may have been committed although its connection broke before the answer. So
      // `WRITE` skips entries that the store has. `LOST` may count twice, which only makes proofs stricter.
      tx.send(WRITE, [store.replica, seqs, texts, generation])
      tx.notify(TOPIC.written, '')
    })
    this.#queue.written(batch)
    this.#sinceTrim += entries.length
    if (this.#sinceTrim < KEPT.every) return
    this.#sinceTrim = 0
    await store.write(TRIM, [KEPT.entries])
  }

  /** Reads the entries that the other replicas have written since the last read. @throws StoreUnavailable */
  #read(): Promise<void> {
    return this.#lock.run('', async () => {
      const { store } = this.#options
      for (let more = true; more; ) {
        const rows = await store.read<JournalRow>(READ_AFTER, [this.#place, store.replica])
        const generation = rows[0]?.generation ?? 0
        if (this.#clearing > 0) return
        this.#followClear(generation)
        more = rows.length === PAGE
        // A notice of a clear has arrived during the query, so these rows are outdated. The loop reads again.
        if (generation < this.#generation) more = true
        else for (const row of rows) this.#adoptRow(row)
      }
    })
  }

  #adoptRow({ place, lost, entry }: JournalRow): void {
    if (place === null) return
    this.#place = place
    if (lost !== null && lost > 0) this.#sink.lose(lost)
    if (entry === null) return
    const json = parseEntry(entry)
    if (json !== undefined) this.#sink.adopt(json)
    else this.#options.log.warn('the journal of the store has an entry that cannot be read', `place ${place}`)
  }

  #followClear(generation: number): void {
    if (generation <= this.#generation) return
    this.#generation = generation
    this.#queue.clear()
    this.#sink.clear()
  }

  #readLater(): void {
    const { machine } = this.#options
    this.#readAt = machine.wakeAt(machine.now() + READ_INTERVAL_MS, () => {
      this.#readLater()
      void this.#read().catch(error => this.#logError(error))
    })
  }

  /** Logs an error. `StoreDatabase` logs that the store is unreachable, so a `Refusal` is not logged here. */
  #logError(error: unknown): void {
    if (!(error instanceof Refusal)) this.#options.log.error('the journal could not be shared', error)
  }
}
