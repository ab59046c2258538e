import pg from 'pg'
import { Refusal } from '../errors.js'
import { isOutage } from './store-error.js'
import type { StoreAddress } from './store-url.js'

/**
 * The oldest version of PostgreSQL that is still maintained, as `server_version_num`. A store needs no newer
 * feature.
 */
const OLDEST_SERVER = 140_000

/**
 * The version of the tables and functions below. A change of the schema needs a new name here, so that stores
 * with another schema are refused.
 */
const VERSION = 'records-4'

/** Names of the older versions that a store's table `migrations` may contain. */
const OLDER = /^((base|clock|journal|sessions|safebot|instanode|records)-1|records-[23])$/

/**
 * Creates the tables of a store if they do not exist, in one transaction. If several replicas start at the
 * same time, only one of them creates the tables.
 *
 * @throws Refusal `store_down`, `store_rights`, `store_newer`, `store_older`, `store_foreign`,
 *   `store_too_old`. The database is unchanged then
 */
export async function prepareSchema(address: StoreAddress): Promise<void> {
  const client = new pg.Client(address.config)
  // The pending query rejects with the same error.
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query('BEGIN')
    await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [
      `understudy ${address.schema}`,
    ])
    if (!(await isPrepared(client, address))) await client.query(TABLES)
    await client.query('COMMIT')
  } catch (error) {
    throw error instanceof Refusal ? error : inWords(error, address)
  } finally {
    await client.end().catch(() => undefined)
  }
}

/**
 * Returns whether the tables exist in this version. Creates the schema if it does not exist.
 *
 * @throws Refusal
 */
async function isPrepared(client: pg.Client, { schema, shown }: StoreAddress): Promise<boolean> {
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
  if (!there.migrations) return false
  const made = await client.query<{ name: string }>('SELECT name FROM migrations ORDER BY name')
  const names = made.rows.map(({ name }) => name)
  if (names.join() === VERSION) return true
  const older = names.every(name => OLDER.test(name))
  throw new Refusal(
    older ? 'store_older' : 'store_newer',
    `the store at ${shown}, schema ${schema}, was made by ${older ? 'an older' : 'a newer'} version: it has ${names.join(', ')}`,
    older
      ? `to start afresh, run DROP SCHEMA ${schema} CASCADE, or name another schema with ?schema=NAME`
      : 'use that version, or another schema with ?schema=NAME',
  )
}

/**
 * Converts an error of PostgreSQL to a refusal with the store's address and a remedy. Returns errors of the
 * program unchanged.
 */
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

/**
 * Advisory lock that every transaction holds shared. A transaction that concerns every partition holds it
 * exclusively.
 */
export const ALL_LOCK = "hashtextextended(current_schema() || ' all', 0)"

/**
 * The tables and functions of a store.
 *
 * `enter` waits until no other transaction uses the partition, and returns the changes since the version that
 * the caller knows. In plpgsql each statement sees the data that was committed before the statement began. So
 * the statements after the lock see the changes of the transaction that held the lock.
 *
 * `leave` writes the changed records with the next version.
 *
 * A deleted record stays as a tombstone (value NULL), so that a replica with an older copy learns of the
 * deletion. Tombstones may be missing below the version `floor`. A replica with an older copy than that reads
 * the whole partition again.
 */
const TABLES = `
  CREATE TABLE migrations (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now());
  INSERT INTO migrations (name) VALUES ('${VERSION}');

  CREATE TABLE replicas (
    number     integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    instance   text,
    started_at timestamptz NOT NULL DEFAULT now(),
    -- How far the replica has come. See progress.ts. NULL: the other replicas do not wait for it.
    clock_step   bigint,
    journal_step bigint
  );

  -- A replica lives as long as the connection that holds its lock.
  CREATE VIEW live_replicas AS
    SELECT * FROM replicas
    WHERE number::bigint::oid IN (
      SELECT objid FROM pg_locks
      WHERE locktype = 'advisory' AND objsubid = 2 AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND classid = (hashtext(current_schema())::bigint & 4294967295)::oid
    );

  -- One row: how often the state of the store has been replaced as a whole, and by which replica the last time.
  CREATE TABLE generation (number bigint NOT NULL, replica integer NOT NULL);
  INSERT INTO generation VALUES (0, 0);

  CREATE SEQUENCE versions;

  CREATE TABLE partitions (
    name      text COLLATE "C" PRIMARY KEY,
    kind      text COLLATE "C" NOT NULL,
    floor     bigint NOT NULL,
    -- The version of the latest announcement.
    news      bigint NOT NULL,
    open      boolean NOT NULL,
    entries   bigint NOT NULL,
    bytes     bigint NOT NULL,
    active_at float8 NOT NULL
  ) WITH (fillfactor = 50);

  CREATE TABLE records (
    partition  text COLLATE "C" NOT NULL,
    collection text COLLATE "C" NOT NULL,
    key        text COLLATE "C" NOT NULL,
    -- json, and not jsonb: it keeps every character that a text of JavaScript may have.
    value      json,
    version    bigint NOT NULL,
    PRIMARY KEY (partition, collection, key)
  ) WITH (fillfactor = 50);
  CREATE INDEX ON records (partition, version);

  -- Sends a notice to all replicas. See notices.ts.
  CREATE FUNCTION tell(notice text) RETURNS void LANGUAGE sql AS $$
    SELECT pg_notify('understudy_' || current_schema(), notice)
  $$;

  CREATE FUNCTION summary_of(p partitions) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_build_object('open', p.open, 'entries', p.entries, 'bytes', p.bytes, 'activeAt', p.active_at)
  $$;

  CREATE FUNCTION totals_of(of_kind text) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_build_object('open', count(*) FILTER (WHERE open),
      'entries', coalesce(sum(entries), 0), 'bytes', coalesce(sum(bytes), 0))
    FROM partitions WHERE kind = of_kind
  $$;

  CREATE FUNCTION enter(
    named text, of_kind text, seen bigint, idle_before float8, counted boolean,
    OUT generation bigint, OUT store_time float8, OUT anew boolean, OUT news bigint, OUT version bigint,
    OUT summary json, OUT changed json, OUT totals json, OUT live integer[]
  ) LANGUAGE plpgsql AS $$
  #variable_conflict use_column
  DECLARE it partitions;
  BEGIN
    PERFORM pg_advisory_xact_lock_shared(${ALL_LOCK}),
            pg_advisory_xact_lock(hashtextextended(current_schema() || ' partition ' || named, 0));
    SELECT g.number INTO generation FROM generation g;
    SELECT * INTO it FROM partitions p WHERE p.name = named;
    store_time := extract(epoch FROM clock_timestamp()) * 1000;
    anew := it.floor IS NULL OR seen < it.floor;
    IF anew THEN seen := 0; END IF;
    IF it.name IS NOT NULL THEN
      news := it.news;
      summary := summary_of(it);
      -- A deleted record has no third part.
      SELECT json_agg(
          CASE WHEN r.value IS NULL THEN json_build_array(r.collection, r.key)
               ELSE json_build_array(r.collection, r.key, r.value) END
          ORDER BY r.version), max(r.version)
      INTO changed, version FROM records r WHERE r.partition = named AND r.version > seen;
    END IF;
    IF counted THEN totals := totals_of(of_kind); END IF;
    IF coalesce(it.active_at, 0) < idle_before THEN
      SELECT coalesce(array_agg(l.number), '{}') INTO live FROM live_replicas l;
    END IF;
  END $$;

  CREATE FUNCTION leave(
    named text, of_kind text, emptied boolean, collections text[], keys text[], vals text[], summary json,
    announced boolean, notice text, detail text
  ) RETURNS bigint LANGUAGE plpgsql AS $$
  #variable_conflict use_column
  DECLARE made bigint := nextval('versions');
  DECLARE oldest bigint;
  BEGIN
    IF notice IS NOT NULL THEN PERFORM tell(notice || made || ' ' || named || ' ' || detail); END IF;
    IF emptied THEN
      -- One of the same name begins with a later floor.
      DELETE FROM records WHERE partition = named;
      DELETE FROM partitions WHERE name = named;
      RETURN made;
    END IF;
    INSERT INTO records (partition, collection, key, value, version)
    SELECT named, u.c, u.k, u.v::json, made FROM unnest(collections, keys, vals) AS u (c, k, v)
    ON CONFLICT (partition, collection, key) DO UPDATE SET value = excluded.value, version = excluded.version;
    INSERT INTO partitions AS p (name, kind, floor, news, open, entries, bytes, active_at)
    SELECT named, of_kind, made, CASE WHEN announced THEN made ELSE 0 END, s.open, s.entries, s.bytes, s."activeAt"
    FROM json_to_record(summary) AS s(open boolean, entries bigint, bytes bigint, "activeAt" float8)
    ON CONFLICT (name) DO UPDATE SET
      news = CASE WHEN announced THEN made ELSE p.news END,
      open = excluded.open, entries = excluded.entries, bytes = excluded.bytes, active_at = excluded.active_at;
    -- Now and then tombstones go, but for the latest.
    IF made % 64 = 0 AND array_position(vals, NULL) IS NOT NULL THEN
      SELECT r.version INTO oldest FROM records r WHERE r.partition = named AND r.value IS NULL
      ORDER BY r.version DESC OFFSET 500 LIMIT 1;
      DELETE FROM records r WHERE r.partition = named AND r.value IS NULL AND r.version <= oldest;
      UPDATE partitions SET floor = oldest WHERE name = named AND oldest IS NOT NULL;
    END IF;
    RETURN made;
  END $$;

  -- What reached the replicas.
  CREATE TABLE journal (
    -- Given out by one writer at a time, so that whoever has read up to one has missed none before it.
    place   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    replica integer NOT NULL,
    -- In the replica's own journal.
    seq     bigint,
    -- As JSON; NULL where only the number of lost entries is told.
    entry   text,
    lost    bigint NOT NULL DEFAULT 0,
    UNIQUE (replica, seq)
  );

  CREATE TABLE journal_state (
    one        boolean PRIMARY KEY DEFAULT true CHECK (one),
    -- How often it has been cleared: what was written for an earlier generation is not kept.
    generation bigint NOT NULL DEFAULT 0,
    -- How many entries have been dropped since.
    dropped    bigint NOT NULL DEFAULT 0
  );
  INSERT INTO journal_state DEFAULT VALUES;`
