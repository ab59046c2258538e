import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { afterAll, beforeAll } from 'vitest'
import { sharedPostgres, startPostgres, type TestServer } from './postgres-server.js'

/** Milliseconds that a connection gets to end, on a machine that is ten times slower. */
const ENDED_MS = 60_000

/**
 * Registers the hooks that give a test file its stores. Call it at the top of the file.
 *
 * @param options `ownServer`: whether the file has its own PostgreSQL server, for tests that look at a whole server.
 *   Default false: all files of the run share one.
 */
export function useStores({ ownServer = false }: { ownServer?: boolean } = {}): Stores {
  const stores = new Stores()
  beforeAll(() => stores.open(ownServer))
  afterAll(() => stores.close())
  return stores
}

/** The stores of a test file: each is a schema on a PostgreSQL. */
export class Stores {
  readonly #prefix = `store_${randomBytes(6).toString('hex')}`
  readonly #schemas: string[] = []
  #own: TestServer | undefined
  #admin: pg.Pool | undefined
  #adminUrl: string | undefined

  async open(ownServer: boolean): Promise<void> {
    if (ownServer) this.#own = await startPostgres()
    this.#adminUrl = this.#own?.adminUrl ?? (await sharedPostgres())
    this.#admin = new pg.Pool({ connectionString: this.#adminUrl, max: 2 })
  }

  /** Returns the URL of a new store. */
  freshUrl(): string {
    if (this.#adminUrl === undefined) throw new Error('the stores are not open')
    const url = new URL(this.#adminUrl)
    const schema = `${this.#prefix}_${this.#schemas.length + 1}`
    this.#schemas.push(schema)
    url.searchParams.set('schema', schema)
    // By its name the connections of a store are found.
    url.searchParams.set('application_name', schema)
    return url.href
  }

  /** Runs a statement as the administrator, in the database of the stores. */
  async run<Row extends pg.QueryResultRow>(sql: string, values: unknown[] = []): Promise<Row[]> {
    if (this.#admin === undefined) throw new Error('the stores are not open')
    const { rows } = await this.#admin.query<Row>(sql, values)
    return rows
  }

  /** The schema that a store's URL names. */
  schemaOf(url: string): string {
    return new URL(url).searchParams.get('schema') ?? ''
  }

  /** Cuts every connection to a store, as if the server had been restarted. @returns how many */
  async cut(url: string): Promise<number> {
    const cut = await this.run<{ pid: number }>(
      'SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1',
      [this.schemaOf(url)],
    )
    // A connection that is still ending could break a later transaction of the test.
    const pids = cut.map(({ pid }) => pid)
    await this.run('SELECT pg_terminate_backend(pid, $2) FROM pg_stat_activity WHERE pid = ANY($1)', [
      pids,
      ENDED_MS,
    ])
    return cut.length
  }

  /** Removes what the tests have made. Does nothing if the stores were never open. */
  async close(): Promise<void> {
    if (this.#admin !== undefined) {
      for (const schema of this.#schemas) await this.run(`DROP SCHEMA IF EXISTS ${schema} CASCADE`)
      await this.#admin.end()
    }
    await this.#own?.close()
  }
}
