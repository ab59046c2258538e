import { statement } from '../../../../shared/records/statement.js'
import { fromNoneOf } from './enter-room.js'

const CONSUMER = 'c.handle, c.cursor, c.claim_id, c.lease_seq, c.claimed_at, c.lease_ms, c.labels'

const MESSAGE = 'seq, id, sender, sender_verified, ciphertext, nonce, ts, reply_to, ttl_ms'

/** Of an announcement in room $1 by replica $2: its number, and whether anybody else may be waiting for it. */
const ANNOUNCING = `nextval('room_news') AS next_news,
  EXISTS (SELECT FROM holds WHERE room_id = $1 AND replica <> $2 AND since IS NOT NULL) AS heard`

export const NEXT_ANNOUNCEMENT = statement(`SELECT ${ANNOUNCING}`)

export const SAVE_ROOM = statement(`
  INSERT INTO rooms (id, created_at, active_at, last_seq, signed_only,
                     buffered, ciphertext_chars, oldest_seq, oldest_ts, next_expiry, news)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
  ON CONFLICT (id) DO UPDATE SET
    active_at = excluded.active_at, last_seq = excluded.last_seq, signed_only = excluded.signed_only,
    buffered = excluded.buffered, ciphertext_chars = excluded.ciphertext_chars,
    oldest_seq = excluded.oldest_seq, oldest_ts = excluded.oldest_ts, next_expiry = excluded.next_expiry,
    news = excluded.news`)

/** For a room that is there, and has been used and nothing more. */
export const TOUCH_ROOM = statement('UPDATE rooms SET active_at = $2 WHERE id = $1')

export const REMOVE_ROOM = statement('DELETE FROM rooms WHERE id = $1')
export const REMOVE_MESSAGES = statement('DELETE FROM messages WHERE room_id = $1')

export const ADD_MESSAGE = statement(`
  INSERT INTO messages (room_id, seq, id, sender, sender_verified, ciphertext, nonce, ts, reply_to, ttl_ms)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`)

/** The $2 oldest, those behind them that came before $3 up to the first that did not, and those whose time is over at $4. */
export const PRUNE = statement(`
  DELETE FROM messages WHERE room_id = $1 AND (
    ts + nullif(ttl_ms, 0) <= $4
    OR seq < coalesce(
      (SELECT seq FROM (SELECT seq, ts FROM messages WHERE room_id = $1 ORDER BY seq OFFSET $2) AS rest
       WHERE ts >= $3 ORDER BY seq LIMIT 1),
      9223372036854775807))`)

export const BUFFER_OF = statement(`
  SELECT count(*)::int AS buffered, coalesce(sum(octet_length(ciphertext)), 0) AS ciphertext_chars, min(seq) AS oldest_seq,
         (SELECT ts FROM messages WHERE room_id = $1 ORDER BY seq LIMIT 1) AS oldest_ts,
         min(ts + nullif(ttl_ms, 0)) AS next_expiry
  FROM messages WHERE room_id = $1`)

export const MESSAGE_AT = statement(`SELECT ${MESSAGE} FROM messages WHERE room_id = $1 AND seq = $2`)
export const MESSAGES_AFTER = statement(
  `SELECT ${MESSAGE} FROM messages WHERE room_id = $1 AND seq > $2 ORDER BY seq LIMIT $3`,
)
export const NEXT_MESSAGE = statement(
  `SELECT ${MESSAGE} FROM messages WHERE room_id = $1 AND seq > $2 AND ${fromNoneOf('$3::text[]')} ORDER BY seq LIMIT 1`,
)

export const CONSUMER_OF = statement(`SELECT ${CONSUMER} FROM consumers c WHERE room_id = $1 AND handle = $2`)
export const CONSUMERS_OF = statement(`SELECT ${CONSUMER} FROM consumers c WHERE room_id = $1`)

export const ADD_CONSUMER = statement(`
  INSERT INTO consumers (room_id, handle, cursor, claim_id, lease_seq, claimed_at, lease_ms, labels, claim_order)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, nextval('claim_orders'))`)

const CHANGE = 'cursor = $3, claim_id = $4, lease_seq = $5, claimed_at = $6, lease_ms = $7, labels = $8'
const THAT = 'WHERE room_id = $1 AND handle = $2'
const TOUCHING = 'WITH touched AS (UPDATE rooms SET active_at = $9 WHERE id = $1)'

export const CHANGE_CONSUMER = statement(`UPDATE consumers SET ${CHANGE} ${THAT}`)
export const CHANGE_CLAIM = statement(
  `UPDATE consumers SET ${CHANGE}, claim_order = nextval('claim_orders') ${THAT}`,
)
/** Likewise, together with {@link TOUCH_ROOM}: most of what is done in rooms is claiming and acknowledging. */
export const TOUCH_AND_CHANGE_CONSUMER = statement(`${TOUCHING} UPDATE consumers SET ${CHANGE} ${THAT}`)
export const TOUCH_AND_CHANGE_CLAIM = statement(
  `${TOUCHING} UPDATE consumers SET ${CHANGE}, claim_order = nextval('claim_orders') ${THAT}`,
)

/** The rooms of a handle's claims but for the $2 latest. */
export const EARLIER_CLAIMS = statement(
  'SELECT room_id FROM consumers WHERE handle = $1 ORDER BY claim_order DESC OFFSET $2',
)

/** Lets go of a claim if its handle has $3 later ones. */
export const FORGET_CLAIM = statement(`
  DELETE FROM consumers c WHERE room_id = $1 AND handle = $2
    AND (SELECT count(*) FROM consumers l WHERE l.handle = $2 AND l.claim_order > c.claim_order) >= $3`)
