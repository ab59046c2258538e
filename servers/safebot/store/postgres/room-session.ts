import type { Transaction } from '../../../../shared/records/transaction.js'
import { Consumer } from '../../domain/consumer.js'
import type { Room, StoredMessage } from '../../domain/model.js'
import type { Foresight, RoomTransaction, Unheld, Usage } from '../store.js'
import { ENTER_ROOM, readUsage, USAGE_OF_ALL, type UsageRow } from './enter-room.js'
import { announcementNotice, ROOM_TOPIC } from './other-replicas.js'
import { NEXT_ANNOUNCEMENT, REMOVE_MESSAGES, REMOVE_ROOM, SAVE_ROOM, TOUCH_ROOM } from './room-statements.js'
import {
  type ConsumerRow,
  kept,
  type MessageRow,
  type RoomRow,
  readConsumer,
  readMessage,
  readRoom,
} from './rows.js'
import { FORGET_RELEASED, FORGET_RELEASES, RELEASE_DEAD, UNHELD } from './stored-holds.js'
import { NOTHING_BUFFERED, StoredConsumers, StoredMessages } from './stored-room.js'

/** Of an announcement in a room: its number, and whether anybody else may be waiting for it. */
export type Announcement = {
  next_news: number
  heard: boolean
}

/** What a room's look-up has brought, beside messages and consumers. */
export interface Opened {
  readonly room: Room | undefined
  readonly news: number
  readonly usage: UsageRow | undefined
  readonly announcement: Announcement | undefined
  readonly messages: StoredMessages
  readonly consumers: StoredConsumers
}

/**
 * One room within one transaction of the database, alone with it. What is read is looked up ahead as far as
 * it was foreseen; what is written is kept back, and sent together with COMMIT.
 */
export class RoomSession implements RoomTransaction {
  readonly #tx: Transaction
  readonly #roomId: string
  readonly #replica: number
  readonly #opened: Opened
  readonly #messages: StoredMessages
  readonly #consumers: StoredConsumers
  /** As it is now; what is stored is what was opened, until this is. */
  #room: Room | undefined
  #removed = false
  #usage: UsageRow | undefined
  #announcement: Announcement | undefined
  #announced = false

  private constructor(tx: Transaction, roomId: string, replica: number, opened: Opened) {
    this.#tx = tx
    this.#roomId = roomId
    this.#replica = replica
    this.#opened = opened
    this.#messages = opened.messages
    this.#consumers = opened.consumers
    this.#room = opened.room
    this.#usage = opened.usage
    this.#announcement = opened.announcement
  }

  /**
   * Waits until nobody else is in the room.
   *
   * @param foresights what will be asked
   * @param replica the number of this one
   */
  static async open(
    tx: Transaction,
    roomId: string,
    foresights: readonly Foresight[],
    replica: number,
  ): Promise<RoomSession> {
    return new RoomSession(tx, roomId, replica, await load(tx, roomId, foresights, replica))
  }

  /** The number of what was announced last before; 0 if there was no such room. */
  get newsAtFirst(): number {
    return this.#opened.news
  }

  /** The number of what is announced with this; undefined: nothing is. */
  get announced(): number | undefined {
    return this.#announced ? this.#announcement?.next_news : undefined
  }

  /** @throws what the database has thrown at somebody: nothing else can be done then */
  requireWhole(): void {
    if (this.#tx.failure !== undefined) throw this.#tx.failure
  }

  get firstClaims(): ReadonlyMap<string, number> {
    return this.#consumers.firstClaims
  }

  async room(): Promise<Room | undefined> {
    return this.#room
  }

  async saveRoom(room: Room): Promise<void> {
    this.#room = room
  }

  async removeRoom(): Promise<void> {
    this.#room = undefined
    this.#removed = this.#opened.room !== undefined
    this.#messages.clear()
  }

  async usage(): Promise<Usage> {
    this.#usage ??= (await this.#tx.query<UsageRow>(USAGE_OF_ALL))[0]
    const { rooms, messages, ciphertextChars } = readUsage(this.#usage)
    const before = this.#messages.atFirst
    const { buffered, ciphertext_chars } = this.#messages.buffered
    return {
      rooms: rooms + Number(this.#room !== undefined) - Number(this.#opened.room !== undefined),
      messages: messages + buffered - before.buffered,
      ciphertextChars: ciphertextChars + ciphertext_chars - before.ciphertext_chars,
    }
  }

  async unheld(now: number): Promise<Unheld> {
    this.#tx.send(RELEASE_DEAD, [this.#roomId, now])
    const [held] = await this.#tx.query<{ from: number | null; until: number | null }>(UNHELD, [this.#roomId])
    return { from: held?.from ?? Number.NEGATIVE_INFINITY, until: held?.until ?? Number.POSITIVE_INFINITY }
  }

  async announce(): Promise<void> {
    const asked = [this.#roomId, this.#replica]
    this.#announcement ??= (await this.#tx.query<Announcement>(NEXT_ANNOUNCEMENT, asked))[0]
    this.#announced = true
  }

  async append(message: StoredMessage): Promise<void> {
    this.#messages.append(message)
  }

  prune(now: number, instant: number, keep: number): Promise<void> {
    return this.#messages.prune(now, instant, keep)
  }

  async count(): Promise<number> {
    return this.#messages.buffered.buffered
  }

  async oldestSeq(): Promise<number | undefined> {
    return this.#messages.buffered.oldest_seq ?? undefined
  }

  message(seq: number): Promise<StoredMessage | undefined> {
    return this.#messages.at(seq)
  }

  messages(after: number, limit: number): Promise<StoredMessage[]> {
    return this.#messages.after(after, limit)
  }

  next(after: number, senders: readonly string[]): Promise<StoredMessage | undefined> {
    return this.#messages.next(after, senders)
  }

  consumer(handle: string): Promise<Consumer | undefined> {
    return this.#consumers.of(handle)
  }

  consumers(): Promise<Consumer[]> {
    return this.#consumers.all()
  }

  saveConsumer(consumer: Consumer): Promise<void> {
    return this.#consumers.save(consumer)
  }

  saveClaim(consumer: Consumer, keep: number): Promise<void> {
    return this.#consumers.claim(consumer, keep)
  }

  /** Sends all that was written. */
  store(): void {
    if (this.#removed) this.#remove()
    this.#messages.store()
    const touchedAt = this.#room && this.#storeRoom(this.#room)
    if (!this.#consumers.store(touchedAt) && touchedAt !== undefined) {
      this.#tx.send(TOUCH_ROOM, [this.#roomId, touchedAt])
    }
    if (this.#announced && this.#announcement?.heard) {
      this.#tx.notify(ROOM_TOPIC, announcementNotice(this.#roomId, this.#announcement.next_news))
    }
  }

  #remove(): void {
    for (const each of [REMOVE_MESSAGES, REMOVE_ROOM, FORGET_RELEASED, FORGET_RELEASES]) {
      this.#tx.send(each, [this.#roomId])
    }
  }

  /** Sends the room; if nothing but its activity has changed, returns the instant of that instead. */
  #storeRoom(room: Room): number | undefined {
    const { id, createdAt, activeAt, lastSeq, signedOnly } = room
    const before = this.#removed ? undefined : this.#opened.room
    const { buffered } = this.#messages
    const inPlace =
      before !== undefined &&
      before.lastSeq === lastSeq &&
      before.signedOnly === signedOnly &&
      buffered === this.#messages.atFirst &&
      !this.#announced
    if (inPlace) return before.activeAt === activeAt ? undefined : activeAt
    const { ciphertext_chars, oldest_seq, oldest_ts, next_expiry } = buffered
    this.#tx.send(SAVE_ROOM, [
      ...[id, createdAt, activeAt, lastSeq, signedOnly],
      ...[buffered.buffered, ciphertext_chars, oldest_seq, oldest_ts, next_expiry],
      this.announced ?? (before === undefined ? 0 : this.#opened.news),
    ])
    return undefined
  }
}

/** What was looked up: what was not asked for is null, as is what there is not. */
type Loaded = Nullable<RoomRow & ConsumerRow & MessageRow & UsageRow & Announcement>

type Nullable<Row> = { [Column in keyof Row]: Row[Column] | null }

/** Waits until nobody else is in the room, and looks up what will be asked: all of it in one round trip. */
async function load(
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
    if (row !== undefined) know(row, foresight, { roomId, messages, consumers })
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
  row: Loaded,
  { handle, senders }: Foresight,
  { roomId, messages, consumers }: { roomId: string; messages: StoredMessages; consumers: StoredConsumers },
): void {
  if (handle === undefined) return
  const consumer = isConsumer(row) ? readConsumer(roomId, row) : undefined
  consumers.know(handle, consumer)
  if (senders === undefined) return
  const message = isMessage(row) ? readMessage(row) : undefined
  const { cursor, lease } = consumer ?? new Consumer({ handle, roomId })
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
