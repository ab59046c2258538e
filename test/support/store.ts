import pg from 'pg'
import { startPostgres } from './postgres-server.js'

/** A PostgreSQL for the tests of a file, on which each may have stores of its own. */
export interface Stores {
  /** The URL of a store that nobody has used. */
  freshUrl(): string
  /** Runs a statement as the administrator, in the database of the stores. */
  run<Row extends pg.QueryResultRow>(sql: string, values?: unknown[]): Promise<Row[]>
  /** The schema that a store's URL names. */
  schemaOf(url: string): string
  /** Cuts every connection to a store, as if the server had been restarted. @returns how many */
  cut(url: string): Promise<number>
  close(): Promise<void>
}

export async function startStores(): Promise<Stores> {
  const postgres = await startPostgres()
  const admin = new pg.Pool({ connectionString: postgres.adminUrl, max: 2 })
  let made = 0
  const prefix = `store_${process.pid}_${Date.now().toString(36)}`
  const run = async <Row extends pg.QueryResultRow>(sql: string, values: unknown[] = []) => {
    const { rows } = await admin.query<Row>(sql, values)
    return rows
  }
  const schemas: string[] = []
  const schemaOf = (url: string) => new URL(url).searchParams.get('schema') ?? ''
  return {
    run,
    schemaOf,
    freshUrl() {
      const url = new URL(postgres.adminUrl)
      const schema = `${prefix}_${++made}`
      schemas.push(schema)
      url.searchParams.set('schema', schema)
      // By its name the connections of a store are found.
      url.searchParams.set('application_name', schema)
      return url.href
    },
    async cut(url) {
      const cut = await run(
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1',
        [schemaOf(url)],
      )
      return cut.length
    },
    async close() {
      for (const schema of schemas) await run(`DROP SCHEMA IF EXISTS ${schema} CASCADE`)
      await admin.end()
      await postgres.close()
    },
  }
}
