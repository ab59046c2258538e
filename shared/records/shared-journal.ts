import { z } from 'zod'
import type { Clock } from '../clock/clock.js'
import { Refusal } from '../errors.js'
import { type EntryJson, entryJson, type JournalEntry } from '../journal/entry.js'
import type { Journal } from '../journal/journal.js'
import type { JournalHands, JournalShare } from '../journal/share.js'
import { OneAtATime } from '../util/locks.js'
import type { Log } from '../util/log.js'
import { RollCall } from './roll-call.js'
import { statement } from './statement.js'
import type { StoreDatabase } from './store-database.js'

/** Entries, and bytes of their bodies, that wait for a store that is away, before the latest are let go. */
const BOUND = { entries: 10_000, bytes: 64 * 1024 * 1024 }

/** What is written at once. */
const BATCH = { entries: 500, bytes: 1024 * 1024 }

/** What is behind a place, and the epoch it is of; where there is nothing, the epoch alone. */
interface JournalRow {
  readonly epoch: number
  readonly place: number | null
  /** NULL: it is the replica's own, or tells only what was lost. */
  readonly entry: string | null
  readonly lost: number | null
}

/** $1: how many. `after` is the place behind which they begin, `older` how many were let go or are not among them. */
const LATEST = statement(`
  WITH latest AS (SELECT place FROM journal ORDER BY place DESC LIMIT $1)
  SELECT epoch, coalesce((SELECT min(place) FROM latest) - 1, 0)::bigint AS after,
         (dropped + (SELECT count(*) FROM journal) - (SELECT count(*) FROM latest))::bigint AS older
  FROM journal_state`)

/** Entries read at once. */
const PAGE = 500

/**
 * $1: the place, $2: the replica. How many is written out, and that the state is one row: what it does not
 * know, the planner takes for many.
 */
const BEHIND = statement(`
  SELECT epoch, place, entry, lost
  FROM (SELECT epoch FROM journal_state LIMIT 1) AS state LEFT JOIN LATERAL (
    SELECT place, CASE WHEN replica <> $2 THEN entry END AS entry, CASE WHEN replica <> $2 THEN lost ELSE 0 END AS lost
    FROM journal WHERE place > $1 ORDER BY place LIMIT ${PAGE}
  ) AS behind ON true
  ORDER BY place`)

/** Whoever changes the journal does so alone. */
const LOCK = statement("SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' journal', 0))")

/** $4: the epoch that they were written for. */
const WRITE = statement(`
  INSERT INTO journal (replica, seq, entry)
  SELECT $1, given.seq, given.entry
  FROM journal_state, unnest($2::bigint[], $3::text[]) WITH ORDINALITY AS given (seq, entry, nth)
  WHERE epoch = $4 ORDER BY nth
  ON CONFLICT DO NOTHING`)

const LOST = statement(
  'INSERT INTO journal (replica, lost) SELECT $1, $2 FROM journal_state WHERE epoch = $3',
)

const CLEAR = statement(`
  WITH gone AS (DELETE FROM journal)
  UPDATE journal_state SET epoch = epoch + 1, dropped = 0 RETURNING epoch`)

/** $1: how many are kept. */
const TRIM = statement(`
  WITH gone AS (
    DELETE FROM journal WHERE place <= (SELECT max(place) - $1 FROM journal) RETURNING lost
  )
  UPDATE journal_state SET dropped = dropped + (SELECT count(*) + coalesce(sum(lost), 0) FROM gone)`)

/** A newer version may write more than this one knows. */
const known = z.object(entryJson.shape)

/** An entry that another replica has written; undefined if it is none. */
function adopted(text: string): EntryJson | undefined {
  try {
    return known.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}

const TOPIC = { written: 'journal-written', cleared: 'journal-cleared', call: 'journal' }

/**
 * How long an ended entry waits for others to be written with. It is also how far the other replicas are
 * behind, as a rule.
 */
const GATHER_MS = 50

/** How often a replica looks for itself: a notice may be lost. While the store is away, how often it is tried. */
const LOOK_MS = 2_000

/** How many entries the store keeps, and after how many of its own a replica looks whether there are more. */
const KEPT = { entries: 100_000, every: 5_000 }

/** How many of them a replica begins with: what its own ring holds. */
const READ_BACK = 10_000

export interface SharedJournalOptions {
  store: StoreDatabase
  journal: Journal
  machine: Clock
  log: Log
}

/**
 * The journal of all replicas of a store: each writes what has ended, behind its calls, and follows what
 * the others have written.
 *
 * Writers are one at a time, so places are given out in the order in which they can be read.
 */
export class SharedJournal implements JournalShare {
  readonly #options: SharedJournalOptions
  readonly #hands: JournalHands
  readonly #queue = new JournalQueue()
  /** Reading, writing and clearing: one at a time. */
  readonly #turns = new OneAtATime()
  readonly #leave: (() => void)[] = []
  readonly #rollCall: RollCall
  #epoch = 0
  /** The last place that was read. */
  #place = 0
  #sinceTrim = 0
  /** Clears of this replica that are not in the store yet. Until then a read may return entries that it has forgotten. */
  #clearing = 0
  #flushAt: { cancel(): void } | undefined
  #lookAt: { cancel(): void } | undefined
  #closed = false

  private constructor(options: SharedJournalOptions, hands: JournalHands) {
    this.#options = options
    this.#hands = hands
    const { store, machine } = options
    this.#rollCall = new RollCall({ store, machine, topic: TOPIC.call, answer: () => this.#flush() })
  }

  /** Has a journal be the store's, beginning with the latest of what is there. @throws StoreUnavailable */
  static async join(options: SharedJournalOptions): Promise<SharedJournal> {
    let shared: SharedJournal | undefined
    options.journal.shareBy(hands => {
      shared = new SharedJournal(options, hands)
      return shared
    })
    if (shared === undefined) throw new Error('a journal that is off cannot be shared')
    await shared.#begin()
    return shared
  }

  /** Entries that have not been written yet. */
  get waiting(): number {
    return this.#queue.size
  }

  ended(entry: JournalEntry): void {
    this.#queue.add(entry)
    if (this.#queue.full) this.#flushSoon(0)
    else if (this.#flushAt === undefined) this.#flushSoon(GATHER_MS)
  }

  async cleared(): Promise<void> {
    const { store } = this.#options
    this.#queue.clear()
    this.#clearing++
    await this.#turns.run('', async () => {
      try {
        const epoch = await store.transaction(async tx => {
          tx.send(LOCK)
          const [state] = await tx.query<{ epoch: number }>(CLEAR)
          tx.notify(TOPIC.cleared, String(state?.epoch))
          return state?.epoch ?? 0
        })
        this.#epoch = Math.max(this.#epoch, epoch)
      } finally {
        this.#clearing--
      }
    })
    // Who goes on writing has to know first that what came before does not count.
    await this.#rollCall.call()
  }

  async refresh(): Promise<boolean> {
    try {
      const all = await this.#rollCall.call()
      await this.#read()
      return all
    } catch (error) {
      if (error instanceof Refusal) return false
      throw error
    }
  }

  /** Takes no part any more, once what is left has been written, if the store is there. */
  async close(): Promise<void> {
    this.#closed = true
    this.#flushAt?.cancel()
    this.#lookAt?.cancel()
    this.#rollCall.close()
    for (const leave of this.#leave) leave()
    await this.flush()
  }

  /** Writes what is left, if the store is there. */
  async flush(): Promise<void> {
    await this.#flush().catch(error => this.#complain(error))
  }

  async #begin(): Promise<void> {
    const { notices } = this.#options.store
    const read = () => void this.#read().catch(error => this.#complain(error))
    this.#leave.push(
      notices.on(TOPIC.written, (_, own) => {
        if (!own) read()
      }),
      notices.on(TOPIC.cleared, (epoch, own) => {
        if (!own) this.#forget(Number(epoch))
      }),
      notices.onGap(() => {
        read()
        if (this.#queue.size > 0) this.#flushSoon(0)
      }),
    )
    const [latest] = await this.#options.store.read<{ epoch: number; after: number; older: number }>(LATEST, [
      READ_BACK,
    ])
    this.#epoch = latest?.epoch ?? 0
    this.#place = latest?.after ?? 0
    if (latest !== undefined && latest.older > 0) this.#hands.lose(latest.older)
    await this.#read()
    this.#lookLater()
  }

  #flushSoon(ms: number): void {
    if (this.#closed) return
    const { machine } = this.#options
    this.#flushAt?.cancel()
    this.#flushAt = machine.wakeAt(machine.now() + ms, () => {
      this.#flushAt = undefined
      void this.#flush().catch(error => {
        this.#complain(error)
        this.#flushSoon(LOOK_MS)
      })
    })
  }

  /** Writes all that is queued. @throws StoreUnavailable: what could not be written is queued still */
  #flush(): Promise<void> {
    return this.#turns.run('', async () => {
      while (this.#queue.size > 0 || this.#queue.lost > 0) await this.#write()
    })
  }

  async #write(): Promise<void> {
    const { store } = this.#options
    const batch = this.#queue.batch()
    const { entries, lost } = batch
    const epoch = this.#epoch
    const seqs = entries.map(({ seq }) => seq)
    const texts = entries.map(entry => JSON.stringify(entry))
    await store.transaction(async tx => {
      tx.send(LOCK)
      if (lost > 0) tx.send(LOST, [store.replica, lost, epoch])
      // One that was written before its connection broke is not written twice.
      tx.send(WRITE, [store.replica, seqs, texts, epoch])
      tx.notify(TOPIC.written, '')
    })
    this.#queue.written(batch)
    this.#sinceTrim += entries.length
    if (this.#sinceTrim < KEPT.every) return
    this.#sinceTrim = 0
    await store.write(TRIM, [KEPT.entries])
  }

  /** Takes in what the others have written since. @throws StoreUnavailable */
  #read(): Promise<void> {
    return this.#turns.run('', async () => {
      const { store } = this.#options
      for (let more = true; more; ) {
        const rows = await store.read<JournalRow>(BEHIND, [this.#place, store.replica])
        const epoch = rows[0]?.epoch ?? 0
        if (this.#clearing > 0) return
        this.#forget(epoch)
        more = rows.length === PAGE
        // Cleared since they were read: they are of before.
        if (epoch < this.#epoch) more = true
        else for (const row of rows) this.#take(row)
      }
    })
  }

  #take({ place, lost, entry }: JournalRow): void {
    if (place === null) return
    this.#place = place
    if (lost !== null && lost > 0) this.#hands.lose(lost)
    if (entry === null) return
    const json = adopted(entry)
    if (json !== undefined) this.#hands.adopt(json)
    else this.#options.log.warn('the journal of the store has an entry that cannot be read', `place ${place}`)
  }

  #forget(epoch: number): void {
    if (epoch <= this.#epoch) return
    this.#epoch = epoch
    this.#queue.clear()
    this.#hands.clear()
  }

  #lookLater(): void {
    const { machine } = this.#options
    this.#lookAt = machine.wakeAt(machine.now() + LOOK_MS, () => {
      this.#lookLater()
      void this.#read().catch(error => this.#complain(error))
    })
  }

  /** That the store is away is logged by itself. */
  #complain(error: unknown): void {
    if (!(error instanceof Refusal)) this.#options.log.error('the journal could not be shared', error)
  }
}

interface Batch {
  readonly entries: readonly JournalEntry[]
  /** How many were let go, and have not been told of. */
  readonly lost: number
  /** How often the queue had been cleared. */
  readonly clears: number
}

/** The entries that wait to be written, the oldest first. */
export class JournalQueue {
  #entries: JournalEntry[] = []
  #bytes = 0
  #lost = 0
  #clears = 0

  get size(): number {
    return this.#entries.length
  }

  /** How many were let go and have not been told of yet. */
  get lost(): number {
    return this.#lost
  }

  /** Whether there is enough for a batch. */
  get full(): boolean {
    return this.#entries.length >= BATCH.entries || this.#bytes >= BATCH.bytes
  }

  add(entry: JournalEntry): void {
    if (this.#entries.length >= BOUND.entries || this.#bytes >= BOUND.bytes) {
      this.#lost++
      return
    }
    this.#entries.push(entry)
    this.#bytes += entry.requestBytes
  }

  /** What is to be written next; it stays until it is {@link written}. */
  batch(): Batch {
    let bytes = 0
    let count = 0
    for (const { requestBytes } of this.#entries) {
      bytes += requestBytes
      if (count > 0 && (count === BATCH.entries || bytes > BATCH.bytes)) break
      count++
    }
    return { entries: this.#entries.slice(0, count), lost: this.#lost, clears: this.#clears }
  }

  /** What was in a batch has been written, unless the queue has been cleared since. */
  written({ entries, lost, clears }: Batch): void {
    if (clears !== this.#clears) return
    this.#entries = this.#entries.slice(entries.length)
    for (const { requestBytes } of entries) this.#bytes -= requestBytes
    this.#lost -= lost
  }

  clear(): void {
    this.#entries = []
    this.#bytes = 0
    this.#lost = 0
    this.#clears++
  }
}
