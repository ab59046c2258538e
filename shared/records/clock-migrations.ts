import type { Migration } from './migrations.js'

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
