import type { Migration } from '../../../../shared/records/migrations.js'

/** The tables of the Instanode store. Instants are milliseconds since the epoch, by the instance's clock. */
export const INSTANODE_MIGRATIONS: readonly Migration[] = [
  {
    name: 'instanode-1',
    sql: `
      -- One row: how often another state has been put in place of all that there was.
      CREATE TABLE instanode_epoch (
        epoch bigint NOT NULL
      );
      INSERT INTO instanode_epoch VALUES (0);

      CREATE TABLE instanode_accounts (
        position    bigint GENERATED ALWAYS AS IDENTITY,
        id          text PRIMARY KEY,
        user_id     text NOT NULL,
        plan        text NOT NULL,
        fixed_token text
      );
      CREATE INDEX ON instanode_accounts (user_id);
      CREATE INDEX ON instanode_accounts (fixed_token);

      CREATE TABLE instanode_provisions (
        day    text NOT NULL,
        -- The subnet, or if that is long its digest: entries of an index are short.
        mark   text NOT NULL,
        subnet text NOT NULL,
        count  integer NOT NULL,
        PRIMARY KEY (day, mark)
      );

      CREATE TABLE instanode_resources (
        -- Tells which of two resources of one instant was made later.
        position   bigint GENERATED ALWAYS AS IDENTITY,
        token      text PRIMARY KEY,
        id         text NOT NULL,
        type       text NOT NULL,
        name       text NOT NULL,
        tier       text NOT NULL,
        status     text NOT NULL,
        owner      text,
        subnet     text NOT NULL,
        url        text NOT NULL,
        created_at bigint NOT NULL,
        expires_at bigint,
        reap_at    bigint,
        measure_at bigint,
        -- When the reaper has something to do with it.
        next_visit bigint
      );
      CREATE INDEX ON instanode_resources (owner) WHERE owner IS NOT NULL;
      CREATE INDEX ON instanode_resources USING hash (subnet);
      CREATE INDEX ON instanode_resources (next_visit) WHERE next_visit IS NOT NULL;

      CREATE TABLE instanode_deliveries (
        token       text NOT NULL,
        number      bigint GENERATED ALWAYS AS IDENTITY,
        id          text NOT NULL,
        received_at bigint NOT NULL,
        -- Method, path, query and headers; as json, which keeps every character that they may hold.
        head        json NOT NULL,
        body        bytea NOT NULL,
        PRIMARY KEY (token, number)
      );`,
  },
]
