import type { Migration } from './migrations.js'

/** Where the replicas of a store are, or have been, reached. */
export const ADDRESS_MIGRATIONS: readonly Migration[] = [
  {
    name: 'addresses-1',
    sql: `
      -- Kept when a replica goes: what it has named by its own address is there still.
      CREATE TABLE addresses (
        endpoint text NOT NULL,
        origin   text NOT NULL,
        PRIMARY KEY (endpoint, origin)
      );`,
  },
]
