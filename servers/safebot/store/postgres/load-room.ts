import type { Transaction } from '../../../../shared/records/transaction.js'
import { Consumer } from '../../domain/consumer.js'
import type { Foresight } from '../store.js'
import { ENTER_ROOM } from './enter-room.js'
import type { Announcement, Opened } from './room-session.js'
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

/** What was looked up: what was not asked for is null, as is what there is not. */
type Loaded = Nullable<RoomRow & ConsumerRow & MessageRow & UsageRow & Announcement>

type Nullable<Row> = { [Column in keyof Row]: Row[Column] | null }

/** Waits until nobody else is in the room, and looks up what will be asked: all of it in one round trip. */
export async function load(
  tx: Transaction,
  roomId: string,
  foresights: readonly Foresight[],
  replica: number,
): Promise<Opened> {
  const loaded = await Promise.all(
    worthAsking(foresights).map(async foresight => {
      const [row] = await tx.query<Loaded>(ENTER_ROOM, asked(roomId, foresight, replica))
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
  const posting = rows.find(row => row !== undefined && row.next_news !== null)
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

function asked(roomId: string, { handle, senders, posting }: Foresight, replica: number): unknown[] {
  return [roomId, handle ?? null, senders?.map(kept) ?? null, posting === true ? replica : null]
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
  if (row === undefined || row.rooms === null) return undefined
  return { rooms: row.rooms, messages: row.messages, chars: row.chars }
}

function announcementOf(row: Loaded | undefined): Announcement | undefined {
  if (row === undefined || row.next_news === null || row.heard === null) return undefined
  return { next_news: row.next_news, heard: row.heard }
}
