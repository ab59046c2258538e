import type { Migration } from './migrations.js'

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
