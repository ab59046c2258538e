import pg from 'pg'
import { Refusal } from '../errors.js'
import { isOutage } from './store-error.js'
import type { StoreAddress } from './store-url.js'

/** One step from an older schema to a newer one. What has been released is never changed: another step is added. */
export interface Migration {
  /** Sorts by itself into no order: they run in that of their list. */
  readonly name: string
  /** Statements, without parameters. */
  readonly sql: string
}

/** ON CONFLICT, hashtextextended and what else is asked for are older; this is the oldest that is still maintained. */
const OLDEST_SERVER = 140_000

/**
 * Brings a store's schema up to date, in one transaction: it is as it was if anything fails. Of several that start at once,
 * one does it, and the others find it done.
 *
 * @throws Refusal `store_down`, `store_rights`, `store_newer`, `store_foreign`, `store_too_old`
 */
export async function migrate(address: StoreAddress, migrations: readonly Migration[]): Promise<void> {
  const client = new pg.Client(address.config)
  // An error of the connection comes to whoever asks something as well.
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query('BEGIN')
    await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [
      `understudy ${address.schema}`,
    ])
    await bringUpToDate(client, address, migrations)
    await client.query('COMMIT')
  } catch (error) {
    throw error instanceof Refusal ? error : inWords(error, address)
  } finally {
    await client.end().catch(() => undefined)
  }
}

async function bringUpToDate(
  client: pg.Client,
  { schema, shown }: StoreAddress,
  migrations: readonly Migration[],
): Promise<void> {
  const { rows } = await client.query<{
    version: number
    schema: boolean
    tables: number
    migrations: boolean
  }>(
    `SELECT current_setting('server_version_num')::int AS version,
            EXISTS (SELECT FROM pg_namespace WHERE nspname = $1) AS schema,
            (SELECT count(*)::int FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1) AS tables,
            to_regclass($1 || '.migrations') IS NOT NULL AS migrations`,
    [schema],
  )
  const [there] = rows
  if (there === undefined) throw new Error('a SELECT without FROM gave no row')
  if (there.version < OLDEST_SERVER) {
    throw new Refusal(
      'store_too_old',
      `PostgreSQL at ${shown} is of version ${there.version}`,
      'use 14 or newer',
    )
  }
  if (there.tables > 0 && !there.migrations) {
    throw new Refusal(
      'store_foreign',
      `the schema ${schema} at ${shown} holds something else`,
      'name another with ?schema=NAME, or leave it out',
    )
  }
  if (!there.schema) await client.query(`CREATE SCHEMA ${schema}`)
  if (!there.migrations) {
    await client.query(
      'CREATE TABLE migrations (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())',
    )
  }
  const applied = await client.query<{ name: string }>('SELECT name FROM migrations')
  const done = new Set(applied.rows.map(({ name }) => name))
  const unknown = [...done].filter(name => !migrations.some(migration => migration.name === name))
  if (unknown.length > 0) {
    throw new Refusal(
      'store_newer',
      `the store at ${shown}, schema ${schema}, was made by a newer version: it has ${unknown.join(', ')}`,
      'use that version, or another schema with ?schema=NAME',
    )
  }
  for (const { name, sql } of migrations) {
    if (done.has(name)) continue
    await client.query(sql)
    await client.query('INSERT INTO migrations (name) VALUES ($1)', [name])
  }
}

/** What PostgreSQL says of a store that cannot be opened is said again with where it is, and what to do. */
function inWords(error: unknown, { shown, schema }: StoreAddress): unknown {
  if (!(error instanceof Error)) return error
  const code = error instanceof pg.DatabaseError ? (error.code ?? '') : ''
  if (code === '42501') {
    const remedy = `have its owner run CREATE SCHEMA ${schema} AUTHORIZATION the role, or GRANT CREATE ON DATABASE`
    return new Refusal('store_rights', `the role may not make the schema ${schema} at ${shown}`, remedy)
  }
  if (code.startsWith('28')) {
    return new Refusal(
      'store_down',
      `the store at ${shown} refuses to let this role in`,
      'check user and password of its URL',
    )
  }
  if (code === '3D000') {
    return new Refusal('store_down', `there is no database at ${shown}`, 'create it, or name another')
  }
  if (!isOutage(error) && code === '') return error
  return new Refusal(
    'store_down',
    `the store at ${shown} cannot be opened (${error.message})`,
    'is PostgreSQL running there?',
  )
}
