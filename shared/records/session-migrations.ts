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
