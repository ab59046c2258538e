import type { Migration } from './migrations.js'

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
