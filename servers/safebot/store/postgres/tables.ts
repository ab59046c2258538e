import { statement } from '../../../../shared/records/statement.js'
import type { StoreDatabase } from '../../../../shared/records/store-database.js'
import type { Transaction } from '../../../../shared/records/transaction.js'
import { expiryOf, type StoredMessage } from '../../domain/model.js'
import { NONCE_KINDS, type NonceKind, type UsedNonce } from '../../domain/nonces.js'
import type { SafebotTables } from '../store.js'
import { RESET, STATE_TOPIC } from './other-replicas.js'
import {
  type ConsumerRow,
  kept,
  type MessageRow,
  type RoomRow,
  readConsumer,
  readMessage,
  readRoom,
} from './rows.js'
import { type IdentityRow, identityRow, LOCK_ALL, readIdentity } from './stored-identities.js'

const ROOMS = statement('SELECT id AS room_id, * FROM rooms ORDER BY created_at, id')
const MESSAGES = statement('SELECT * FROM messages ORDER BY room_id, seq')
const CONSUMERS = statement('SELECT * FROM consumers ORDER BY claim_order')
const IDENTITIES = statement('SELECT * FROM identities ORDER BY registered_at, handle')
const NONCES = statement('SELECT * FROM used_nonces ORDER BY at, owner, nonce')
const HELD = statement(
  'SELECT room_id, min(since) AS at FROM holds WHERE since IS NOT NULL GROUP BY room_id ORDER BY room_id',
)
const RELEASED = statement(
  'SELECT room_id, max(released) AS at FROM holds WHERE released IS NOT NULL GROUP BY room_id ORDER BY room_id',
)

const EMPTY = statement('TRUNCATE rooms, messages, consumers, identities, used_nonces, holds')
const AGREE = statement(
  'INSERT INTO settings (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
)

type InRoom<Row> = Row & { room_id: string }
type Untyped = Record<string, unknown>

/** All that is kept, at one moment between the transactions of all replicas. */
export function dump(database: StoreDatabase): Promise<SafebotTables> {
  return database.transaction(async tx => {
    tx.send(LOCK_ALL)
    const [rooms, messages, consumers, identities, nonces, held, released] = await Promise.all([
      tx.query<RoomRow & Untyped>(ROOMS),
      tx.query<InRoom<MessageRow> & Untyped>(MESSAGES),
      tx.query<InRoom<ConsumerRow> & Untyped>(CONSUMERS),
      tx.query<IdentityRow & Untyped>(IDENTITIES),
      tx.query<Omit<UsedNonce, 'freshUntil'> & { kind: NonceKind; fresh_until: number } & Untyped>(NONCES),
      tx.query<{ room_id: string; at: number }>(HELD),
      tx.query<{ room_id: string; at: number }>(RELEASED),
    ])
    const buffers = new Map<string, StoredMessage[]>(rooms.map(({ room_id }) => [room_id, []]))
    for (const row of messages) buffers.get(row.room_id)?.push(readMessage(row))
    const used = (kind: NonceKind) =>
      nonces
        .filter(nonce => nonce.kind === kind)
        .map(
          ({ owner, nonce, at, fresh_until }): UsedNonce => ({ owner, nonce, at, freshUntil: fresh_until }),
        )
    const instants = ({ room_id, at }: { room_id: string; at: number }) => [room_id, at] as const
    return {
      rooms: rooms.map(row => ({ room: readRoom(row), messages: buffers.get(row.room_id) ?? [] })),
      consumers: consumers.map(row => ({ ...readConsumer(row.room_id, row) })),
      identities: identities.map(readIdentity),
      nonces: {
        requests: used('requests'),
        messages: used('messages'),
        registrations: used('registrations'),
      },
      holdings: { held: held.map(instants), released: released.map(instants) },
    }
  })
}

/** Keeps that and nothing else, between the transactions of all replicas, and tells the others. */
export function load(
  database: StoreDatabase,
  tables: SafebotTables,
  agreed: Readonly<Record<string, unknown>>,
): Promise<void> {
  return database.transaction(async tx => {
    tx.send(LOCK_ALL)
    tx.send(EMPTY)
    fill(tx, tables, database.replica)
    for (const [key, value] of Object.entries(agreed)) tx.send(AGREE, [key, JSON.stringify(value)])
    tx.notify(STATE_TOPIC, RESET)
  })
}

function fill(tx: Transaction, tables: SafebotTables, replica: number): void {
  const news = statement("UPDATE rooms SET news = nextval('room_news')")
  for (const [table, rows] of Object.entries(tableRows(tables, replica))) {
    const add = statement(`INSERT INTO ${table} SELECT * FROM json_populate_recordset(NULL::${table}, $1)`)
    for (const some of inPortions(rows)) tx.send(add, [JSON.stringify(some)])
  }
  // Whoever waits on another replica finds that there is something new.
  tx.send(news)
}

/** Rows of one statement: enough to make round trips cheap, and no statement too large. */
const PORTION = 500

function* inPortions(rows: readonly object[]): Generator<readonly object[]> {
  for (let from = 0; from < rows.length; from += PORTION) yield rows.slice(from, from + PORTION)
}

/** All that is to be kept, as rows: by the table's name. */
function tableRows(
  { rooms, consumers, identities, nonces, holdings }: SafebotTables,
  replica: number,
): Record<string, object[]> {
  return {
    rooms: rooms.map(({ room, messages }) => ({
      id: room.id,
      created_at: room.createdAt,
      active_at: room.activeAt,
      last_seq: room.lastSeq,
      signed_only: room.signedOnly,
      ...buffered(messages),
      news: 0,
    })),
    messages: rooms.flatMap(({ room, messages }) => messages.map(message => messageRow(room.id, message))),
    consumers: consumers.map(({ roomId, handle, cursor, lease, labels }, at) => ({
      room_id: roomId,
      handle,
      cursor,
      claim_id: lease?.claimId,
      lease_seq: lease?.seq,
      claimed_at: lease?.claimedAt,
      lease_ms: lease?.ttlMs,
      labels: JSON.stringify(labels),
      // Those to come are numbered from 1 on, or further.
      claim_order: at - consumers.length,
    })),
    identities: identities.map(identityRow),
    used_nonces: NONCE_KINDS.flatMap(kind =>
      nonces[kind].map(({ freshUntil, ...used }) => ({ kind, ...used, fresh_until: freshUntil })),
    ),
    holds: holdRows(holdings, replica),
  }
}

function buffered(messages: readonly StoredMessage[]): object {
  const [oldest] = messages
  const expiry = messages.reduce(
    (least, message) => Math.min(least, expiryOf(message)),
    Number.POSITIVE_INFINITY,
  )
  return {
    buffered: messages.length,
    ciphertext_chars: messages.reduce((sum, { ciphertext }) => sum + ciphertext.length, 0),
    oldest_seq: oldest?.seq,
    oldest_ts: oldest?.ts,
    next_expiry: expiry === Number.POSITIVE_INFINITY ? undefined : expiry,
  }
}

function messageRow(roomId: string, message: StoredMessage): object {
  const { seq, id, sender, senderVerified, ciphertext, nonce, ts, replyTo, ttlMs } = message
  return {
    room_id: roomId,
    seq,
    id,
    sender: kept(sender),
    sender_verified: senderVerified,
    ciphertext,
    nonce,
    ts,
    reply_to: replyTo,
    ttl_ms: ttlMs,
  }
}

function holdRows({ held, released }: SafebotTables['holdings'], replica: number): object[] {
  const since = new Map(held)
  const left = new Map(released)
  return [...new Set([...since.keys(), ...left.keys()])].map(roomId => ({
    room_id: roomId,
    replica,
    since: since.get(roomId),
    released: left.get(roomId),
  }))
}
