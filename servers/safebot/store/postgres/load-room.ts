import type { Statement } from '../../../../shared/postgres/statement.js'
import type { Transaction } from '../../../../shared/postgres/transaction.js'
import { Consumer } from '../../domain/consumer.js'
import type { Foresight } from '../store.js'
import { LOCK_ROOM } from './locks.js'
import type { Announcement, Opened } from './room-session.js'
import { LOAD_CONSUMER, LOAD_POSTING, LOAD_ROOM, LOAD_TASK } from './room-statements.js'
import {
  type ConsumerRow,
  type MessageRow,
  type RoomRow,
  readConsumer,
  readMessage,
  readRoom,
} from './rows.js'
import { StoredConsumers } from './stored-consumers.js'
import { NOTHING_BUFFERED, StoredMessages } from './stored-messages.js'
import { kept } from './text.js'
import type { UsageRow } from './usage.js'

/** A row of any of the look-ups: what it did not ask for is undefined, what there is not is null. */
type Loaded = Nullable<RoomRow> &
  Partial<Nullable<ConsumerRow> & Nullable<MessageRow> & UsageRow & Announcement>

type Nullable<Row> = { [Column in keyof Row]: Row[Column] | null }

/** Waits until nobody else is in the room, and looks up what will be asked: all of it in one round trip. */
export async function load(
  tx: Transaction,
  roomId: string,
  foresights: readonly Foresight[],
  replica: number,
): Promise<Opened> {
  // A statement sees what was there as it began: what waits for a lock must not be what looks.
  tx.send(LOCK_ROOM, [roomId])
  const loaded = await Promise.all(
    worthAsking(foresights).map(async foresight => {
      const [row] = await tx.query<Loaded>(...lookUp(roomId, foresight, replica))
      return { row, foresight }
    }),
  )
  const rows = loaded.map(({ row }) => row)
  const roomRow = rows[0]
  const there = roomRow !== undefined && isRoom(roomRow) ? roomRow : undefined
  const messages = new StoredMessages(tx, roomId, there ?? NOTHING_BUFFERED)
  const consumers = new StoredConsumers(tx, roomId)
  for (const { row, foresight } of loaded) {
    if (row !== undefined) know(roomId, row, foresight, messages, consumers)
  }
  const posting = rows.find(row => row?.next_news !== undefined)
  return {
    room: there && readRoom(there),
    news: there?.news ?? 0,
    usage: usageOf(posting),
    announcement: announcementOf(posting),
    messages,
    consumers,
  }
}

/** Of several only those that ask what none before them does. */
function worthAsking(foresights: readonly Foresight[]): readonly Foresight[] {
  const posting = foresights.findIndex(foresight => foresight.posting === true)
  return foresights.filter(({ handle }, at) => at === 0 || at === posting || handle !== undefined)
}

function lookUp(
  roomId: string,
  { handle, senders, posting = false }: Foresight,
  replica: number,
): [Statement, unknown[]] {
  if (posting) return [LOAD_POSTING, [roomId, replica]]
  if (handle === undefined) return [LOAD_ROOM, [roomId]]
  if (senders === undefined) return [LOAD_CONSUMER, [roomId, handle]]
  return [LOAD_TASK, [roomId, handle, senders.map(kept)]]
}

function know(
  roomId: string,
  row: Loaded,
  { handle, senders }: Foresight,
  messages: StoredMessages,
  consumers: StoredConsumers,
): void {
  if (handle === undefined) return
  const consumer = isConsumer(row) ? readConsumer(roomId, row) : undefined
  consumers.know(handle, consumer)
  if (senders === undefined) return
  const message = isMessage(row) ? readMessage(row) : undefined
  const { cursor, lease } = consumer ?? new Consumer(handle, roomId)
  if (lease === null) messages.knowNext(cursor, senders, message)
  else if (message !== undefined) messages.know(message)
}

function isRoom(row: Loaded): row is Loaded & RoomRow {
  return row.room_id !== null
}

function isConsumer(row: Loaded): row is Loaded & ConsumerRow {
  return typeof row.handle === 'string'
}

function isMessage(row: Loaded): row is Loaded & MessageRow {
  return typeof row.seq === 'number'
}

function usageOf(row: Loaded | undefined): UsageRow | undefined {
  if (row?.rooms === undefined) return undefined
  return { rooms: row.rooms, messages: row.messages ?? null, chars: row.chars ?? null }
}

function announcementOf(row: Loaded | undefined): Announcement | undefined {
  return row?.next_news === undefined || row.heard === undefined
    ? undefined
    : { next_news: row.next_news, heard: row.heard }
}
