import { statement } from '../../../../shared/postgres/statement.js'
import { USAGE } from './usage.js'

const MESSAGE = 'seq, id, sender, sender_verified, ciphertext, nonce, ts, reply_to, ttl_ms'

const NO_MESSAGE = `NULL::bigint, NULL::text, NULL::text, NULL::boolean, NULL::text, NULL::text, NULL::bigint, NULL::text,
      NULL::double precision`

const ROOM = `r.id, r.created_at, r.active_at, r.last_seq, r.signed_only,
      r.buffered, r.ciphertext_chars, r.oldest_seq, r.oldest_ts, r.next_expiry, r.news`

const CONSUMER = 'c.handle, c.cursor, c.claim_id, c.lease_seq, c.claimed_at, c.lease_ms, c.labels'

const NO_POSTING = 'NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::boolean'

/** There is one row, whether there is such a room or not. */
const ANYWAY = `FROM (SELECT) AS anyway LEFT JOIN rooms r ON r.id = in_room
      LEFT JOIN consumers c ON c.room_id = in_room AND c.handle = who`

/**
 * Waits until nobody else is in a room, and looks up what is going to be asked there. In one function, for every statement is a
 * message each way; and in this language, for there each statement sees what there is as it begins: what waits for a lock must not
 * be what looks.
 *
 * With `passing`, the message that the consumer `who` holds; if it holds none, the next one from none of these. With `poster`, how
 * much there is in all rooms, and of an announcement by that replica: its number, and whether anybody else may be waiting for it.
 */
export const CREATE_ENTER_ROOM = `
  CREATE FUNCTION enter_room(in_room text, who text, passing text[], poster integer) RETURNS TABLE (
    room_id text, created_at bigint, active_at bigint, last_seq bigint, signed_only boolean,
    buffered integer, ciphertext_chars bigint, oldest_seq bigint, oldest_ts bigint, next_expiry double precision, news bigint,
    handle text, cursor bigint, claim_id text, lease_seq bigint, claimed_at bigint, lease_ms double precision, labels text,
    seq bigint, id text, sender text, sender_verified boolean, ciphertext text, nonce text, ts bigint, reply_to text,
    ttl_ms double precision,
    rooms bigint, messages bigint, chars bigint, next_news bigint, heard boolean
  ) LANGUAGE plpgsql AS $$
  #variable_conflict use_column
  BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtextextended(current_schema() || ' safebot', 0)),
            pg_advisory_xact_lock(hashtextextended(current_schema() || ' room ' || in_room, 0));
    IF passing IS NOT NULL THEN
      RETURN QUERY SELECT ${ROOM}, ${CONSUMER}, m.*, ${NO_POSTING} ${ANYWAY}
      LEFT JOIN LATERAL (
        (SELECT ${MESSAGE} FROM messages WHERE room_id = in_room AND seq = c.lease_seq)
        UNION ALL
        (SELECT ${MESSAGE} FROM messages
         WHERE c.lease_seq IS NULL AND room_id = in_room AND seq > coalesce(c.cursor, 0) AND sender <> ALL (passing)
         ORDER BY seq LIMIT 1)
      ) m ON true;
    ELSIF poster IS NOT NULL THEN
      RETURN QUERY SELECT ${ROOM}, ${CONSUMER}, ${NO_MESSAGE}, u.rooms, u.messages, u.chars, nextval('room_news'),
        EXISTS (SELECT FROM holds WHERE room_id = in_room AND replica <> poster AND since IS NOT NULL)
      ${ANYWAY}, (${USAGE}) AS u;
    ELSE
      RETURN QUERY SELECT ${ROOM}, ${CONSUMER}, ${NO_MESSAGE}, ${NO_POSTING} ${ANYWAY};
    END IF;
  END $$;`

export const ENTER_ROOM = statement('SELECT * FROM enter_room($1, $2, $3, $4)')
