import pg from 'pg'
import type { Clock } from '../clock/clock.js'
import { withinLimit } from '../clock/within-limit.js'
import { Refusal } from '../errors.js'
import type { Log } from '../util/log.js'
import { Notices } from './notices.js'
import { prepareSchema } from './schema.js'
import { SqlTransaction } from './sql-transaction.js'
import { isOutage, lostToAnother, StoreUnavailable, tookTooLong } from './store-error.js'
import { readStoreUrl, type StoreAddress } from './store-url.js'

export interface StoreDatabaseOptions {
  url: string
  machine: Clock
  log: Log
}

/** A replica that shares a store. */
export interface Replica {
  readonly number: number
  /** The name of the instance. Null: the replica is still starting. */
  readonly instance: string | null
  /** The start of the replica, by the clock of the database server. */
  readonly startedAt: Date
}

/** Maximum time that a replica waits for the lock of {@link StoreDatabase.alone}, in milliseconds. */
const ALONE_MS = 30_000

/**
 * Maximum time that the connections may take to end, in milliseconds. Running queries have their own time
 * limits.
 */
const LEAVE_MS = 15_000

/**
 * Maximum number of attempts at a transaction that lost its connection before the commit, or was aborted in
 * favour of another one.
 */
const ATTEMPTS = 3

/**
 * A PostgreSQL database that several replicas share. Provides a pool of connections, transactions and
 * notifications. Its tables are in a schema of their own.
 */
export class StoreDatabase {
  /** Notifications between replicas. */
  readonly notices: Notices
  /**
   * The number of this replica: 1 for the first replica that ever used the store. Numbers are never reused.
   */
  readonly replica: number
  /** The machine's time, which limits waits for other replicas. */
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
   * Opens a store, and creates its schema if it does not exist.
   *
   * @throws Refusal `bad_store`, `store_down`, `store_rights`, `store_newer`, `store_older`, `store_foreign`,
   *   `store_too_old`. The database is unchanged then
   */
  static async open({ url, machine, log }: StoreDatabaseOptions): Promise<StoreDatabase> {
    const address = readStoreUrl(url)
    await prepareSchema(address)
    const pool = new pg.Pool({ ...address.config, max: address.pool, types: { getTypeParser } })
    // A connection can break immediately after it has opened, before another listener is added. Its queries
    // reject.
    pool.on('connect', client => client.on('error', () => {}))
    // The pool replaces a broken idle connection.
    pool.on('error', error => log.warn('a connection to the store broke', error.message))
    try {
      const { rows } = await pool.query<{ number: number }>(
        'INSERT INTO replicas DEFAULT VALUES RETURNING number',
      )
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
    await this.write('UPDATE replicas SET instance = $2 WHERE number = $1', [this.replica, instance])
  }

  /** The store's host and database, for messages. */
  get shown(): string {
    return this.#address.shown
  }

  /** The URL for creating databases on the same server. It contains the password, so do not log it. */
  get serverUrl(): string {
    return this.#address.serverUrl
  }

  /** Runs a statement that changes nothing, and returns its rows. @throws StoreUnavailable */
  read<Row extends pg.QueryResultRow>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return this.transaction(tx => {
      tx.readOnly = true
      return tx.query<Row>(text, values)
    })
  }

  /** Runs one statement in a transaction of its own, and returns its rows. @throws StoreUnavailable */
  write<Row extends pg.QueryResultRow>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return this.transaction(tx => tx.query<Row>(text, values))
  }

  /**
   * Runs `work` in a transaction. Runs `work` again if the connection breaks before the commit, or if
   * PostgreSQL aborted the transaction in favour of another one.
   *
   * @throws StoreUnavailable, or the error of `work`. Its changes are undone then
   */
  async transaction<T>(work: (tx: SqlTransaction) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#attempt(work)
      } catch (error) {
        // A connection of the pool may be broken without notice.
        const lost = error instanceof StoreUnavailable && !error.unsure && !tookTooLong(error.cause)
        // While the store is known to be unreachable, each attempt takes time and fails.
        const max = this.notices.available ? ATTEMPTS : 1
        if (attempt >= max || !(lost || lostToAnother(error))) throw error
      }
    }
  }

  /**
   * Runs `work` while no replica runs other work with the same name. A connection holds the lock. If the
   * connection breaks, another replica can get the lock before `work` has ended.
   *
   * @throws Refusal `store_busy` if another replica does not release the lock in time, or `store_unavailable`
   * @throws the error of `work`
   */
  async alone<T>(name: string, work: () => Promise<T>): Promise<T> {
    const locked = this.transaction(async tx => {
      tx.readOnly = true
      // Limits only the wait for a lock. The work under the lock may take any time.
      void tx.send(`SELECT set_config('lock_timeout', '${ALONE_MS}', true), set_config('statement_timeout', '0', true),
                           set_config('idle_in_transaction_session_timeout', '0', true)`)
      // The client waits longer than the server, because the server's error is more precise.
      const lock = "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' alone ' || $1, 0))"
      await tx.query(lock, [name], ALONE_MS + 2_000)
      // An error of `work` must not make the transaction run `work` again.
      return Promise.allSettled([work()])
    })
    const [outcome] = await locked.catch(error => {
      if (!(error instanceof StoreUnavailable && tookTooLong(error.cause))) throw error
      throw new Refusal(
        'store_busy',
        `another replica of the store at ${this.shown} has been busy with its ${name} for ${ALONE_MS / 1000} seconds`,
        'call again in a moment; if it hangs, stop it',
      )
    })
    if (outcome.status === 'rejected') throw outcome.reason
    return outcome.value
  }

  /** Returns the live replicas in the order of their starts. @throws StoreUnavailable */
  replicas(): Promise<Replica[]> {
    return this.read<Replica & pg.QueryResultRow>(
      'SELECT number, instance, started_at AS "startedAt" FROM live_replicas ORDER BY number',
    )
  }

  /** Checks that the store answers. @throws StoreUnavailable */
  async ping(): Promise<void> {
    await this.read('SELECT 1')
  }

  close(): Promise<void> {
    this.#closing ??= this.notices.close().then(() => this.#endPool())
    return this.#closing
  }

  /** Ends the pool. Abandons connections that do not end within the time limit. */
  async #endPool(): Promise<void> {
    const limit = { machine: this.machine, ms: LEAVE_MS, what: 'closing the connections to the store' }
    await withinLimit(limit, () => this.#pool.end()).catch(error =>
      this.log.warn('a connection to the store did not end', error),
    )
  }

  async #attempt<T>(work: (tx: SqlTransaction) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect().catch(error => {
      throw this.#inWords(error, false)
    })
    let broken = false
    // The running query rejects with the same error. Without a listener, the event would end the process.
    const onError = () => {
      broken = true
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
      broken ||= !(await tx.rollback())
      throw this.#inWords(error, committing)
    } finally {
      client.off('error', onError)
      client.release(broken)
    }
  }

  #inWords(error: unknown, unsure: boolean): unknown {
    return isOutage(error) || tookTooLong(error)
      ? new StoreUnavailable(this.#address.shown, unsure, error)
      : error
  }
}

/**
 * Parses bigint columns as numbers. They hold milliseconds and counts, which are small enough to be exact.
 */
function getTypeParser(oid: number, format?: 'text' | 'binary'): (value: never) => unknown {
  if (oid === pg.types.builtins.INT8) return Number
  return pg.types.getTypeParser(oid, format)
}
