import pg from 'pg'
import type { Refusal } from '../errors.js'
import { OneAtATime } from '../util/locks.js'
import {
  badRecord,
  checkName,
  EMPTY_SUMMARY,
  idOf,
  kindOf,
  NO_TOTALS,
  Partition,
  type PartitionDump,
  type RecordDump,
  type Summary,
  type Totals,
} from './partition.js'
import type { NewsListener, Records } from './records.js'
import { ALL_LOCK } from './schema.js'
import type { SqlTransaction } from './sql-transaction.js'
import type { StoreDatabase } from './store-database.js'
import { StoreUnavailable } from './store-error.js'
import { Transaction, type TransactionOptions } from './transaction.js'
import { Watches } from './watches.js'

/**
 * Maximum number of partitions in memory. Beyond it, the least recently used partition is dropped, and read
 * again when it is used.
 */
const MAX_CACHED = 5_000

/** Maximum size of one record, in characters of JSON. */
const MAX_RECORD_CHARS = 16 * 1024 * 1024

/** Number of records in one statement when a state is replaced. */
const PORTION = 500

const TOPIC = { announced: 'announced', replaced: 'replaced' }

/** The row that the SQL function `enter` in `schema.ts` returns. */
interface EnterRow extends Record<string, unknown> {
  generation: number
  store_time: number
  /** Whether the copy of the partition is too old to be updated, so that all records were read. */
  anew: boolean
  /**
   * Version of the latest announcement. `news`, `version`, `summary` and `changed` are null if the partition
   * does not exist.
   */
  news: number | null
  version: number | null
  summary: Summary | null
  changed: RecordDump[] | null
  /**
   * `totals` and `live` are null if the caller did not request them. `live` is also null if the partition was
   * not idle.
   */
  totals: Totals | null
  live: number[] | null
}

const ENTER = 'SELECT * FROM enter($1, $2, $3, $4, $5)'
const LEAVE = 'SELECT leave($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) AS version'
const PARTITIONS = 'SELECT name FROM partitions WHERE kind = $1 AND open AND active_at < $2 ORDER BY name'
const TOTALS = 'SELECT totals_of($1) AS totals'
const NEWS = 'SELECT name, news FROM partitions WHERE name = ANY($1::text[])'
const GENERATION = 'SELECT number FROM generation WHERE replica <> $1'

const LOCK_ALL = `SELECT pg_advisory_xact_lock(${ALL_LOCK})`
const DUMP_PARTITIONS =
  "SELECT name, summary_of(p) AS summary FROM partitions p WHERE starts_with(name, $1 || '/') ORDER BY name"
const DUMP_RECORDS = `
  SELECT partition, json_agg(json_build_array(collection, key, value) ORDER BY collection, key) AS records
  FROM records WHERE starts_with(partition, $1 || '/') AND value IS NOT NULL GROUP BY partition`
const CLEAR_RECORDS = "DELETE FROM records WHERE starts_with(partition, $1 || '/')"
const CLEAR_PARTITIONS = "DELETE FROM partitions WHERE starts_with(name, $1 || '/')"
const NEXT_GENERATION = 'UPDATE generation SET number = number + 1, replica = $1 RETURNING number'

/**
 * Records that replicas share through PostgreSQL.
 *
 * Each replica keeps copies of the partitions that it uses. A transaction locks a partition, updates the copy
 * and runs the work on the copy. The lock and the update take one round trip. Writing the changes with COMMIT
 * takes a second one.
 */
export class PostgresRecords implements Records {
  readonly shared = true
  readonly #database: StoreDatabase
  /** Copies by name of the partition, the least recently used first. */
  readonly #copies = new Map<string, Partition>()
  /** Ensures that only one transaction at a time uses the copy of a partition. */
  readonly #turns = new OneAtATime()
  readonly #alone = new OneAtATime()
  readonly #watches: Watches
  readonly #onReplaced = new Set<() => void>()
  /** The latest generation that this replica knows. */
  #generation = 0

  private constructor(database: StoreDatabase) {
    this.#database = database
    const { machine, notices } = database
    this.#watches = new Watches({ machine, latest: names => this.#latest(names) })
    notices.on(TOPIC.announced, (payload, own) => {
      const { name, version, detail } = announcementOf(payload)
      this.#watches.heard(name, version, own, detail)
    })
    notices.on(TOPIC.replaced, (payload, own) => {
      if (!own) this.#replaced(Number(payload))
    })
    // If the poll fails because the store is unreachable again, another gap follows.
    notices.onGap(() => void this.#watches.poll().catch(() => undefined))
  }

  /** Opens the records of a store. @param database the caller closes it @throws StoreUnavailable */
  static async open(database: StoreDatabase): Promise<PostgresRecords> {
    const records = new PostgresRecords(database)
    records.#generation = await records.#readGeneration()
    return records
  }

  get replica(): number {
    return this.#database.replica
  }

  async transaction<T>(
    name: string,
    work: (tx: Transaction) => T,
    options: TransactionOptions = {},
  ): Promise<T> {
    checkName(name)
    return this.#turns.run(name, () => this.#run(name, work, options))
  }

  async partitions(kind: string, idleBefore = Number.POSITIVE_INFINITY): Promise<string[]> {
    const rows = await this.#database.read<{ name: string }>(PARTITIONS, [kind, idleBefore])
    return rows.map(({ name }) => name)
  }

  async totals(kind: string): Promise<Totals> {
    const [row] = await this.#database.read<{ totals: Totals }>(TOTALS, [kind])
    return row?.totals ?? NO_TOTALS
  }

  watch(partition: string, listener: NewsListener): () => void {
    return this.#watches.add(partition, listener)
  }

  watchKind(kind: string, listener: (id: string, detail: string) => void): () => void {
    return this.#database.notices.on(TOPIC.announced, (payload, own) => {
      const { name, detail } = announcementOf(payload)
      if (!own && kindOf(name) === kind) listener(idOf(name), detail)
    })
  }

  alone<T>(name: string, work: () => Promise<T>): Promise<T> {
    // Of this replica only one waits for the lock, because each that waits takes a connection of the pool.
    return this.#alone.run(name, () => this.#database.alone(name, work))
  }

  dump(scope: string): Promise<PartitionDump[]> {
    return this.#database.transaction(async tx => {
      tx.send(LOCK_ALL)
      const [partitions, records] = await Promise.all([
        tx.query<{ name: string; summary: Summary }>(DUMP_PARTITIONS, [scope]),
        tx.query<{ partition: string; records: RecordDump[] }>(DUMP_RECORDS, [scope]),
      ])
      const byPartition = new Map(records.map(row => [row.partition, row.records]))
      return partitions.map(row => ({ ...row, records: byPartition.get(row.name) ?? [] }))
    })
  }

  async replace(scope: string, partitions: readonly PartitionDump[]): Promise<void> {
    const generation = await this.#database.transaction(async tx => {
      tx.send(LOCK_ALL)
      tx.send(CLEAR_RECORDS, [scope])
      tx.send(CLEAR_PARTITIONS, [scope])
      for (const partition of partitions) addPartition(tx, partition)
      const [row] = await tx.query<{ number: number }>(NEXT_GENERATION, [this.replica])
      tx.notify(TOPIC.replaced, String(row?.number))
      return row?.number ?? 0
    })
    // A notice of an earlier generation may still arrive.
    this.#generation = Math.max(this.#generation, generation)
  }

  onReplaced(listener: () => void): void {
    this.#onReplaced.add(listener)
  }

  onGap(listener: () => void): void {
    this.#database.notices.onGap(listener)
  }

  onUnavailable(listener: (refusal: Refusal) => void): void {
    this.#database.notices.onAvailability(there => {
      if (!there) listener(new StoreUnavailable(this.#database.shown, false))
    })
  }

  async close(): Promise<void> {
    this.#watches.close()
    this.#copies.clear()
  }

  async #run<T>(name: string, work: (tx: Transaction) => T, options: TransactionOptions): Promise<T> {
    const partition = this.#copyOf(name)
    try {
      const { result, written, news } = await this.#database.transaction(async sql => {
        const tx = await this.#enter(sql, partition, options)
        const result = tx.run(work, options)
        return { result, written: this.#leave(sql, partition, tx), news: tx.announcement }
      })
      const version = (await written)?.[0]?.version
      if (version !== undefined) partition.version = version
      partition.commit()
      if (news !== undefined && version !== undefined) this.#watches.heard(name, version, true, news.detail)
      return result
    } catch (error) {
      partition.undo()
      // PostgreSQL may have committed the changes.
      if (error instanceof StoreUnavailable && error.unsure) this.#copies.delete(name)
      throw inWords(error)
    }
  }

  /** Waits until no other transaction uses the partition, and updates the copy. */
  async #enter(
    sql: SqlTransaction,
    partition: Partition,
    { totals = false, idleBefore }: TransactionOptions,
  ): Promise<Transaction> {
    const { name, kind } = partition
    // An earlier attempt may have failed before its end.
    partition.undo()
    const values = [name, kind, partition.version, idleBefore ?? null, totals]
    const [row] = await sql.query<EnterRow>(ENTER, values)
    if (row === undefined) throw new Error('a function with OUT parameters gave no row')
    if (row.anew) partition.forget()
    partition.adopt(row.changed ?? [], row.summary ?? EMPTY_SUMMARY)
    partition.version = Math.max(partition.version, row.version ?? 0)
    this.#watches.read(name, row.news ?? 0)
    return new Transaction(partition, {
      totals: row.totals ?? undefined,
      replicas: row.live ?? undefined,
      generation: row.generation,
      storeTime: row.store_time,
    })
  }

  /** Sends the changes. @returns the row with their version, or undefined if nothing has changed */
  #leave(
    sql: SqlTransaction,
    partition: Partition,
    { announcement: news }: Transaction,
  ): Promise<{ version: number }[]> | undefined {
    if (!partition.finish() && news === undefined) {
      sql.readOnly = true
      return undefined
    }
    const { name, kind, empty, summary } = partition
    const notice = news?.elsewhere ? this.#database.notices.noticeOf(TOPIC.announced, '') : null
    const announcement = [news !== undefined, notice, news?.detail ?? '']
    return sql.send(LEAVE, [name, kind, empty, ...columnsOf(partition.changes()), summary, ...announcement])
  }

  #copyOf(name: string): Partition {
    const copy = this.#copies.get(name) ?? new Partition(name)
    this.#copies.delete(name)
    this.#copies.set(name, copy)
    if (this.#copies.size > MAX_CACHED) {
      const [oldest] = this.#copies.keys()
      if (oldest !== undefined) this.#copies.delete(oldest)
    }
    return copy
  }

  async #latest(names: readonly string[]): Promise<Map<string, number>> {
    this.#replaced(await this.#readGeneration())
    const rows = await this.#database.read<{ name: string; news: number }>(NEWS, [[...names]])
    return new Map(rows.map(({ name, news }) => [name, news]))
  }

  /** Reads the number of the present generation, or 0 if this replica has started it. */
  async #readGeneration(): Promise<number> {
    const [row] = await this.#database.read<{ number: number }>(GENERATION, [this.replica])
    return row?.number ?? 0
  }

  /** Calls the listeners, unless they know the generation that another replica has started. */
  #replaced(generation: number): void {
    if (generation <= this.#generation) return
    this.#generation = generation
    for (const listener of this.#onReplaced) listener()
  }
}

/** Writes a partition in portions, as an announcement that needs no notice. */
function addPartition(tx: SqlTransaction, { name, summary, records }: PartitionDump): void {
  for (let from = 0; from < records.length; from += PORTION) {
    const columns = columnsOf(records.slice(from, from + PORTION))
    tx.send(LEAVE, [name, kindOf(name), false, ...columns, summary, true, null, ''])
  }
}

/**
 * Returns collections, keys and JSON values, each as an array.
 *
 * @throws Refusal `bad_record` for a value that is too large
 */
function columnsOf(records: readonly RecordDump[]): [string[], string[], (string | null)[]] {
  return [
    records.map(([collection]) => collection),
    records.map(([, key]) => key),
    records.map(([collection, key, value]) => (value === undefined ? null : jsonOf(collection, key, value))),
  ]
}

function jsonOf(collection: string, key: string, value: unknown): string {
  const json = JSON.stringify(value)
  if (json.length <= MAX_RECORD_CHARS) return json
  throw badRecord(
    `the record ${key} of ${collection} takes ${json.length} characters`,
    `${MAX_RECORD_CHARS} is the most`,
  )
}

/**
 * Parses the payload of an announcement: a version, the name of a partition, and a detail that the domain
 * defines.
 */
function announcementOf(payload: string): { version: number; name: string; detail: string } {
  const [, version = '', name = '', detail = ''] = /^(\d+) (\S+) (.*)$/s.exec(payload) ?? []
  return { version: Number(version), name, detail }
}

/**
 * Converts PostgreSQL errors about invalid or too large data (classes 22 and 54) to a refusal. Returns other
 * errors unchanged.
 */
function inWords(error: unknown): unknown {
  if (!(error instanceof pg.DatabaseError) || !/^(22|54)/.test(error.code ?? '')) return error
  return badRecord(`PostgreSQL does not take it (${error.message})`, 'send less of it, or other characters')
}
