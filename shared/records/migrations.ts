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

/** The MCP sessions over HTTP that all replicas of a store accept. */
export const SESSION_MIGRATIONS: readonly Migration[] = [
  {
    name: 'sessions-1',
    sql: `
      CREATE TABLE sessions (
        endpoint text NOT NULL,
        id       text NOT NULL,
        -- The protocol revision that was agreed on.
        version  text,
        -- By the machines' time, as all that concerns connections; written now and then.
        used_at  timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (endpoint, id)
      );
      CREATE INDEX ON sessions (used_at);`,
  },
]

/** What reached the replicas of a store. */
export const JOURNAL_MIGRATIONS: readonly Migration[] = [
  {
    name: 'journal-1',
    sql: `
      CREATE TABLE journal (
        -- Given out by one writer at a time, so that whoever has read up to one has missed none before it.
        place   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        replica integer NOT NULL,
        -- In the replica's own journal.
        seq     bigint,
        -- As JSON; NULL where only what was lost is told.
        entry   text,
        lost    bigint NOT NULL DEFAULT 0,
        UNIQUE (replica, seq)
      );

      CREATE TABLE journal_state (
        one     boolean PRIMARY KEY DEFAULT true CHECK (one),
        -- How often it has been cleared: what was written for an earlier time is not kept.
        epoch   bigint NOT NULL DEFAULT 0,
        -- How many entries have been let go since.
        dropped bigint NOT NULL DEFAULT 0
      );
      INSERT INTO journal_state DEFAULT VALUES;`,
  },
]

/** The one clock of a store. */
export const CLOCK_MIGRATIONS: readonly Migration[] = [
  {
    name: 'clock-1',
    sql: `
      CREATE TABLE clock (
        one      boolean PRIMARY KEY DEFAULT true CHECK (one),
        version  bigint NOT NULL DEFAULT 1,
        mode     text NOT NULL,
        -- In milliseconds: where a manual one stands, what a real one is ahead of clock_timestamp().
        position double precision NOT NULL,
        -- Whether what falls due on the way to this version is run.
        walk     boolean NOT NULL DEFAULT false,
        began_as text NOT NULL,
        began_at double precision NOT NULL
      );

      -- The version that a replica has come to; NULL: it does not live by the clock, and nobody waits for it.
      ALTER TABLE replicas ADD COLUMN clock_version bigint;`,
  },
]

/** What every store has: who shares it, and what they have agreed on. */
export const BASE_MIGRATIONS: readonly Migration[] = [
  {
    name: 'base-1',
    sql: `
      CREATE TABLE replicas (
        number     integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        instance   text,
        started_at timestamptz NOT NULL DEFAULT now()
      );

      CREATE TABLE settings (
        key   text PRIMARY KEY,
        value jsonb NOT NULL
      );

      -- A replica lives as long as the connection that holds its lock, of which PostgreSQL keeps account.
      CREATE VIEW live_replicas AS
        SELECT number, instance, started_at FROM replicas
        WHERE number::bigint::oid IN (
          SELECT objid FROM pg_locks
          WHERE locktype = 'advisory' AND objsubid = 2 AND granted
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND classid = (hashtext(current_schema())::bigint & 4294967295)::oid
        );`,
  },
]
