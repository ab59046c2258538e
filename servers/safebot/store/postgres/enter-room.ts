import { statement } from '../../../../shared/records/statement.js'
import type { Usage } from '../store.js'

/**
 * Rooms know how much is in them, and there are no more than some thousands: to add that up takes less than
 * to keep a sum would.
 */
export const USAGE =
  'SELECT count(*) AS rooms, sum(buffered) AS messages, sum(ciphertext_chars)::bigint AS chars FROM rooms'

export const USAGE_OF_ALL = statement(USAGE)

/**
 * A sender is none of those in an array. Written so that the planner takes it for likely: it knows who has
 * sent most, and for fear of finding none would sort the whole buffer.
 */
export const fromNoneOf = (senders: string) => `coalesce(array_position(${senders}, sender), 0) < 1`

/**
 * Waits until nobody else is in a room, and looks up what is going to be asked there. In one function, for
 * every statement is a message each way; and in this language, for there each statement sees what there is
 * as it begins: what waits for a lock must not be what looks.
 *
 * With `passing`, the message that the consumer `who` holds; if it holds none, the next one from none of
 * these. With `poster`, how much there is in all rooms, and of an announcement by that replica: its number,
 * and whether anybody else may be waiting for it. What is not asked for is null, as is what there is not.
 */
export const CREATE_ENTER_ROOM = `
  CREATE FUNCTION enter_room(
    in_room text, who text, passing text[], poster integer,
    OUT room_id text, OUT created_at bigint, OUT active_at bigint, OUT last_seq bigint, OUT signed_only boolean,
    OUT buffered integer, OUT ciphertext_chars bigint, OUT oldest_seq bigint, OUT oldest_ts bigint,
    OUT next_expiry double precision, OUT news bigint,
    OUT handle text, OUT cursor bigint, OUT claim_id text, OUT lease_seq bigint, OUT claimed_at bigint,
    OUT lease_ms double precision, OUT labels text,
    OUT seq bigint, OUT id text, OUT sender text, OUT sender_verified boolean, OUT ciphertext text, OUT nonce text,
    OUT ts bigint, OUT reply_to text, OUT ttl_ms double precision,
    OUT rooms bigint, OUT messages bigint, OUT chars bigint, OUT next_news bigint, OUT heard boolean
  ) LANGUAGE plpgsql AS $$
  #variable_conflict use_column
  BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtextextended(current_schema() || ' safebot', 0)),
            pg_advisory_xact_lock(hashtextextended(current_schema() || ' room ' || in_room, 0));
    SELECT r.id, r.created_at, r.active_at, r.last_seq, r.signed_only,
           r.buffered, r.ciphertext_chars, r.oldest_seq, r.oldest_ts, r.next_expiry, r.news
    INTO room_id, created_at, active_at, last_seq, signed_only,
         buffered, ciphertext_chars, oldest_seq, oldest_ts, next_expiry, news
    FROM rooms r WHERE r.id = in_room;
    IF who IS NOT NULL THEN
      SELECT c.handle, c.cursor, c.claim_id, c.lease_seq, c.claimed_at, c.lease_ms, c.labels
      INTO handle, cursor, claim_id, lease_seq, claimed_at, lease_ms, labels
      FROM consumers c WHERE c.room_id = in_room AND c.handle = who;
    END IF;
    IF passing IS NOT NULL AND lease_seq IS NOT NULL THEN
      SELECT m.seq, m.id, m.sender, m.sender_verified, m.ciphertext, m.nonce, m.ts, m.reply_to, m.ttl_ms
      INTO seq, id, sender, sender_verified, ciphertext, nonce, ts, reply_to, ttl_ms
      FROM messages m WHERE m.room_id = in_room AND m.seq = lease_seq;
    ELSIF passing IS NOT NULL THEN
      SELECT m.seq, m.id, m.sender, m.sender_verified, m.ciphertext, m.nonce, m.ts, m.reply_to, m.ttl_ms
      INTO seq, id, sender, sender_verified, ciphertext, nonce, ts, reply_to, ttl_ms
      FROM messages m WHERE m.room_id = in_room AND m.seq > coalesce(cursor, 0) AND ${fromNoneOf('passing')}
      ORDER BY m.seq LIMIT 1;
    END IF;
    IF poster IS NOT NULL THEN
      SELECT u.rooms, u.messages, u.chars INTO rooms, messages, chars FROM (${USAGE}) AS u;
      next_news := nextval('room_news');
      heard := EXISTS (SELECT FROM holds h WHERE h.room_id = in_room AND h.replica <> poster AND h.since IS NOT NULL);
    END IF;
  END $$;`

export const ENTER_ROOM = statement('SELECT * FROM enter_room($1, $2, $3, $4)')

/** A sum of nothing is null. */
export type UsageRow = {
  rooms: number
  messages: number | null
  chars: number | null
}

export function readUsage(row: UsageRow | undefined): Usage {
  return { rooms: row?.rooms ?? 0, messages: row?.messages ?? 0, ciphertextChars: row?.chars ?? 0 }
}
