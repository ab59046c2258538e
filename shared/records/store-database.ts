import pg from 'pg'
import type { Clock } from '../clock/clock.js'
import { withinLimit } from '../clock/within-limit.js'
import { Refusal } from '../errors.js'
import type { Log } from '../util/log.js'
import { Notices } from './notices.js'
import { prepareSchema } from './schema.js'
import { SqlTransaction } from './sql-transaction.js'
import { type Statement, statement } from './statement.js'
import { isOutage, isRefused, lostToAnother, StoreUnavailable, tookTooLong } from './store-error.js'
import { readStoreUrl, type StoreAddress } from './store-url.js'

export interface StoreDatabaseOptions {
  url: string
  machine: Clock
  log: Log
}

/** A replica that shares a store. */
export interface Replica {
  readonly number: number
  /** Null: the replica is starting. */
  readonly instance: string | null
  /** By the time of the server. */
  readonly startedAt: Date
}

/** How long a replica waits until it may work alone, in milliseconds. */
const ALONE_MS = 30_000

/** How long connections may take to end, in milliseconds. Queries that are under way have their own time-outs. */
const LEAVE_MS = 15_000

/** Attempts at a transaction that lost its connection, or gave way to another, before it was committed. */
const ATTEMPTS = 3

const ADD_REPLICA = statement('INSERT INTO replicas DEFAULT VALUES RETURNING number')
const NAME_REPLICA = statement('UPDATE replicas SET instance = $2 WHERE number = $1')
/** The work under a lock takes as long as it takes. Only the wait for the lock has a limit. */
const ALONE_LIMITS = statement(`
  SELECT set_config('idle_in_transaction_session_timeout', '0', true),
         set_config('lock_timeout', '${ALONE_MS}', true), set_config('statement_timeout', '0', true)`)
const LOCK_ALONE: Statement = {
  ...statement("SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' alone ' || $1, 0))"),
  // Longer than the limit of the server, whose error says more.
  query_timeout: ALONE_MS + 2_000,
}
const REPLICAS = statement(
  'SELECT number, instance, started_at AS "startedAt" FROM live_replicas ORDER BY number',
)
const PING = statement('SELECT 1')

/**
 * One PostgreSQL that several instances, its replicas, share: a pool of connections, transactions, and notifications.
 * Its tables are in a schema of their own.
 */
export class StoreDatabase {
  /** Notifications between replicas. */
  readonly notices: Notices
  /** Of this replica: 1 for the first that ever used the store, and never used again. */
  readonly replica: number
  /** The machine's time. It measures waits for other replicas. */
  readonly machine: Clock
  readonly log: Log
  readonly #address: StoreAddress
  readonly #pool: pg.Pool
  #closing: Promise<void> | undefined

  private constructor({
    address,
    pool,
    machine,
    log,
    notices,
    replica,
  }: Pick<StoreDatabaseOptions, 'machine' | 'log'> & {
    address: StoreAddress
    pool: pg.Pool
    notices: Notices
    replica: number
  }) {
    this.log = log
    this.#address = address
    this.#pool = pool
    this.machine = machine
    this.notices = notices
    this.replica = replica
  }

  /**
   * Opens a store, and creates its schema if there is none.
   *
   * @throws Refusal `bad_store`, `store_down`, `store_rights`, `store_newer`, `store_older`, `store_foreign`,
   *   `store_too_old`; nothing in the database has changed then
   */
  static async open({ url, machine, log }: StoreDatabaseOptions): Promise<StoreDatabase> {
    const address = readStoreUrl(url)
    await prepareSchema(address)
    const pool = new pg.Pool({ ...address.config, max: address.pool, types: { getTypeParser } })
    // A connection can break with the packet that says it is ready, before any listener is there. Its queries reject.
    pool.on('connect', client => client.on('error', () => {}))
    // The pool replaces an idle connection that breaks.
    pool.on('error', error => log.warn('a connection to the store broke', error.message))
    try {
      const { rows } = await pool.query<{ number: number }>(ADD_REPLICA)
      const replica = rows[0]?.number ?? 0
      const notices = await Notices.open({ address, machine, replica })
      notices.onAvailability(there =>
        there
          ? log.warn(`the store at ${address.shown} is back`)
          : log.error(`the store at ${address.shown} is gone`),
      )
      return new StoreDatabase({ address, pool, machine, log, notices, replica })
    } catch (error) {
      await pool.end()
      throw isOutage(error) ? new StoreUnavailable(address.shown, false, error) : error
    }
  }

  /** Records the name of this replica's instance. */
  async introduce(instance: string): Promise<void> {
    await this.write(NAME_REPLICA, [this.replica, instance])
  }

  /** The store's host and database, for messages. */
  get shown(): string {
    return this.#address.shown
  }

  /** The URL of the server, to make databases there. It has the password, so it must not be shown. */
  get serverUrl(): string {
    return this.#address.serverUrl
  }

  /** The rows of a statement that changes nothing. @throws StoreUnavailable */
  read<Row extends pg.QueryResultRow>(asked: Statement, values: readonly unknown[] = []): Promise<Row[]> {
    return this.transaction(tx => {
      tx.readOnly = true
      return tx.query<Row>(asked, values)
    })
  }

  /** Runs one statement that takes effect by itself, and returns its rows. @throws StoreUnavailable */
  write<Row extends pg.QueryResultRow>(asked: Statement, values: readonly unknown[] = []): Promise<Row[]> {
    return this.transaction(tx => tx.query<Row>(asked, values))
  }

  /**
   * Runs `work` in a transaction of its own. It may be run again: if its connection breaks before the end,
   * or if it has to give way.
   *
   * @throws StoreUnavailable, and what `work` throws: nothing of it is kept then
   */
  async transaction<T>(work: (tx: SqlTransaction) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#attempt(work)
      } catch (error) {
        const lost = error instanceof StoreUnavailable && !error.unsure && !tookTooLong(error.cause)
        const again = lostToAnother(error) || lost
        // A connection of the pool may be dead without having said so. One that is refused means that the store is away.
        const max = error instanceof StoreUnavailable && isRefused(error.cause) ? this.#attempts : ATTEMPTS
        if (!again || attempt >= max) throw error
      }
    }
  }

  /**
   * Runs `work` while no replica runs other work of that name. A connection holds the lock. If the connection breaks,
   * another replica may begin.
   *
   * @throws Refusal `store_busy` if another replica does not end; `store_unavailable`; whatever `work` throws
   */
  async alone<T>(name: string, work: () => Promise<T>): Promise<T> {
    const locked = this.transaction(async tx => {
      tx.readOnly = true
      void tx.send(ALONE_LIMITS)
      await tx.query(LOCK_ALONE, [name])
      // An error of the work is no reason to run it again.
      return Promise.allSettled([work()])
    })
    const [outcome] = await locked.catch(error => {
      throw error instanceof StoreUnavailable && tookTooLong(error.cause) ? busy(name, this.shown) : error
    })
    if (outcome.status === 'rejected') throw outcome.reason
    return outcome.value
  }

  /** The replicas that live, the first started first. @throws StoreUnavailable */
  replicas(): Promise<Replica[]> {
    return this.read<Replica & pg.QueryResultRow>(REPLICAS)
  }

  /** The error for requests that wait when the store goes away. */
  unavailable(): StoreUnavailable {
    return new StoreUnavailable(this.#address.shown, false)
  }

  /** @throws StoreUnavailable if it does not answer */
  async ping(): Promise<void> {
    await this.read(PING)
  }

  close(): Promise<void> {
    this.#closing ??= this.notices.close().then(() => this.#endPool())
    return this.#closing
  }

  /** A store that is known to be away gets one attempt: each takes its time and fails. */
  get #attempts(): number {
    return this.notices.available ? ATTEMPTS : 1
  }

  /** Abandons the connections to a server that does not answer. */
  async #endPool(): Promise<void> {
    const limit = { machine: this.machine, ms: LEAVE_MS, what: 'closing the connections to the store' }
    await withinLimit(limit, () => this.#pool.end()).catch(error =>
      this.log.warn('a connection to the store did not end', error),
    )
  }

  async #attempt<T>(work: (tx: SqlTransaction) => Promise<T>): Promise<T> {
    const client = await this.#connect()
    let broken: Error | undefined
    // The pending query rejects with the same error. Without a listener, the event would end the process.
    const onError = (error: Error) => {
      broken = error
    }
    client.on('error', onError)
    let committing = false
    const tx = new SqlTransaction(client, (topic, payload) => this.notices.noticeOf(topic, payload))
    try {
      const result = await work(tx)
      committing = true
      await tx.commit()
      return result
    } catch (error) {
      broken ??= await tx.rollback()
      throw this.#inWords(error, committing)
    } finally {
      client.off('error', onError)
      client.release(broken)
    }
  }

  async #connect(): Promise<pg.PoolClient> {
    try {
      return await this.#pool.connect()
    } catch (error) {
      throw this.#inWords(error, false)
    }
  }

  #inWords(error: unknown, unsure: boolean): unknown {
    return isOutage(error) || tookTooLong(error)
      ? new StoreUnavailable(this.#address.shown, unsure, error)
      : error
  }
}

/** Instants are kept as bigint milliseconds, and counts are: all of them are exact as numbers. */
function getTypeParser(oid: number, format?: 'text' | 'binary'): (value: never) => unknown {
  if (oid === pg.types.builtins.INT8) return Number
  return pg.types.getTypeParser(oid, format)
}

function busy(name: string, shown: string): Refusal {
  return new Refusal(
    'store_busy',
    `another replica of the store at ${shown} has been busy with its ${name} for ${ALONE_MS / 1000} seconds`,
    'call again in a moment; if it hangs, stop it',
  )
}
