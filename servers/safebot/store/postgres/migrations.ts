import type { Migration } from '../../../../shared/records/migrations.js'
import { CREATE_ENTER_ROOM } from './enter-room.js'

/** The tables of the Safebot store. Instants are milliseconds since the epoch by the instances' clock. */
export const SAFEBOT_MIGRATIONS: readonly Migration[] = [
  {
    name: 'safebot-1',
    sql: `
      -- Of its buffer a room knows what is asked most, so that the messages need not be counted.
      CREATE TABLE rooms (
        id               text COLLATE "C" PRIMARY KEY,
        created_at       bigint NOT NULL,
        active_at        bigint NOT NULL,
        last_seq         bigint NOT NULL,
        signed_only      boolean NOT NULL,
        buffered         integer NOT NULL,
        ciphertext_chars bigint NOT NULL,
        oldest_seq       bigint,
        oldest_ts        bigint,
        next_expiry      double precision,
        -- Of its latest announcement: greater than that of any before, in whichever room of that id.
        news             bigint NOT NULL
      ) WITH (fillfactor = 50);
      CREATE SEQUENCE room_news;

      CREATE TABLE messages (
        room_id         text COLLATE "C" NOT NULL,
        seq             bigint NOT NULL,
        id              text NOT NULL,
        sender          text NOT NULL,
        sender_verified boolean NOT NULL,
        ciphertext      text NOT NULL,
        nonce           text NOT NULL,
        ts              bigint NOT NULL,
        reply_to        text,
        ttl_ms          double precision,
        PRIMARY KEY (room_id, seq)
      );
      -- What is sealed cannot be made smaller.
      ALTER TABLE messages ALTER COLUMN ciphertext SET STORAGE EXTERNAL;

      CREATE TABLE consumers (
        room_id     text COLLATE "C" NOT NULL,
        handle      text COLLATE "C" NOT NULL,
        cursor      bigint NOT NULL,
        claim_id    text,
        lease_seq   bigint,
        claimed_at  bigint,
        lease_ms    double precision,
        -- JSON, which has a way to write any text.
        labels      text NOT NULL,
        -- Of its latest claim, among those of its handle.
        claim_order bigint NOT NULL,
        PRIMARY KEY (handle, room_id)
      ) WITH (fillfactor = 50);
      CREATE INDEX consumers_of_room ON consumers (room_id);
      CREATE SEQUENCE claim_orders;

      CREATE TABLE identities (
        handle        text COLLATE "C" PRIMARY KEY,
        box_pub       text NOT NULL,
        sign_pub      text NOT NULL,
        registered_at bigint NOT NULL,
        -- JSON, which has a way to write any text.
        meta          text NOT NULL
      );

      CREATE TABLE used_nonces (
        kind  text COLLATE "C" NOT NULL,
        owner text COLLATE "C" NOT NULL,
        nonce text COLLATE "C" NOT NULL,
        at    bigint NOT NULL,
        PRIMARY KEY (kind, owner, nonce)
      );

      -- Which replica holds which room: since when, null if it does not, and when it last left it.
      CREATE TABLE holds (
        room_id  text COLLATE "C" NOT NULL,
        replica  integer NOT NULL,
        since    bigint,
        released bigint,
        PRIMARY KEY (room_id, replica)
      );

      -- Where replicas are, or were: a room's URL that names one of them is good at all of them.
      CREATE TABLE bases (origin text COLLATE "C" PRIMARY KEY);
      ${CREATE_ENTER_ROOM}`,
  },
  {
    name: 'safebot-2',
    // The last instant at which the signature is fresh. Nonces from before are remembered by the time of their use.
    sql: 'ALTER TABLE used_nonces ADD COLUMN fresh_until bigint NOT NULL DEFAULT 0',
  },
]
