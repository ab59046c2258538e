import type { Migration } from './migrations.js'

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
