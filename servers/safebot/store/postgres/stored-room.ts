import type { Transaction } from '../../../../shared/records/transaction.js'
import type { Consumer } from '../../domain/consumer.js'
import { expiryOf, type StoredMessage } from '../../domain/model.js'
import {
  ADD_CONSUMER,
  ADD_MESSAGE,
  BUFFER_OF,
  CHANGE_CLAIM,
  CHANGE_CONSUMER,
  CONSUMER_OF,
  CONSUMERS_OF,
  MESSAGE_AT,
  MESSAGES_AFTER,
  NEXT_MESSAGE,
  PRUNE,
  TOUCH_AND_CHANGE_CLAIM,
  TOUCH_AND_CHANGE_CONSUMER,
} from './room-statements.js'
import {
  type ConsumerRow,
  consumerValues,
  kept,
  type MessageRow,
  messageValues,
  type RoomRow,
  readConsumer,
  readMessage,
} from './rows.js'

/** What a room knows of its buffer. */
export type Buffered = Pick<
  RoomRow,
  'buffered' | 'ciphertext_chars' | 'oldest_seq' | 'oldest_ts' | 'next_expiry'
>

export const NOTHING_BUFFERED: Buffered = {
  buffered: 0,
  ciphertext_chars: 0,
  oldest_seq: null,
  oldest_ts: null,
  next_expiry: null,
}

/** What was looked up ahead: the first message behind a seq from none of some senders. */
interface LookedUp {
  readonly after: number
  readonly message: StoredMessage | undefined
}

/** The messages of one room within a transaction: those that are stored, and behind them those that are to be. */
export class StoredMessages {
  readonly #tx: Transaction
  readonly #roomId: string
  /** As it was when the room was entered. */
  readonly atFirst: Buffered
  #buffered: Buffered
  /** How many of them are stored already. */
  #stored: number
  #added: StoredMessage[] = []
  readonly #known = new Map<number, StoredMessage>()
  /** By the senders that were passed over. */
  readonly #lookedUp = new Map<string, LookedUp>()

  constructor(tx: Transaction, roomId: string, buffered: Buffered) {
    this.#tx = tx
    this.#roomId = roomId
    this.atFirst = buffered
    this.#buffered = buffered
    this.#stored = buffered.buffered
  }

  get buffered(): Buffered {
    return this.#buffered
  }

  /** Takes note of a message that was looked up ahead. */
  know(message: StoredMessage): void {
    this.#known.set(message.seq, message)
  }

  /** Takes note of the answer to a `next` that was asked ahead. */
  knowNext(after: number, senders: readonly string[], message: StoredMessage | undefined): void {
    this.#lookedUp.set(keyOf(senders), { after, message })
  }

  append(message: StoredMessage): void {
    const { buffered, ciphertext_chars, oldest_seq, oldest_ts, next_expiry } = this.#buffered
    this.#added.push(message)
    const expiry = Math.min(expiryOf(message), next_expiry ?? Number.POSITIVE_INFINITY)
    this.#buffered = {
      buffered: buffered + 1,
      ciphertext_chars: ciphertext_chars + message.ciphertext.length,
      oldest_seq: oldest_seq ?? message.seq,
      oldest_ts: oldest_ts ?? message.ts,
      next_expiry: expiry === Number.POSITIVE_INFINITY ? null : expiry,
    }
  }

  async prune(now: number, instant: number, keep: number): Promise<void> {
    const { buffered, oldest_ts, next_expiry } = this.#buffered
    const all = buffered <= keep && (oldest_ts ?? instant) >= instant
    if (all && (next_expiry === null || next_expiry > now)) return
    this.store()
    this.#tx.send(PRUNE, [this.#roomId, Math.max(0, buffered - keep), instant, now])
    const [left = NOTHING_BUFFERED] = await this.#tx.query<Buffered & RoomRow>(BUFFER_OF, [this.#roomId])
    this.#buffered = left
    this.#stored = left.buffered
    this.#known.clear()
    this.#lookedUp.clear()
  }

  /** None of them is there any more. */
  clear(): void {
    this.#buffered = NOTHING_BUFFERED
    this.#stored = 0
    this.#added = []
    this.#known.clear()
    this.#lookedUp.clear()
  }

  async at(seq: number): Promise<StoredMessage | undefined> {
    const known = this.#known.get(seq) ?? this.#added.find(message => message.seq === seq)
    if (known !== undefined || this.#stored === 0) return known
    const [row] = await this.#tx.query<MessageRow>(MESSAGE_AT, [this.#roomId, seq])
    return row && readMessage(row)
  }

  async after(seq: number, limit: number): Promise<StoredMessage[]> {
    const bounds = [this.#roomId, whole(seq), Math.max(0, whole(limit))]
    const rows = this.#stored === 0 ? [] : await this.#tx.query<MessageRow>(MESSAGES_AFTER, bounds)
    const added = this.#added.filter(message => !(message.seq <= seq))
    return [...rows.map(readMessage), ...added].slice(0, limit)
  }

  async next(after: number, senders: readonly string[]): Promise<StoredMessage | undefined> {
    return (
      (await this.#nextStored(after, senders)) ??
      this.#added.find(message => message.seq > after && !senders.includes(message.sender))
    )
  }

  /** Sends those that are not stored yet. */
  store(): void {
    for (const message of this.#added) this.#tx.send(ADD_MESSAGE, [this.#roomId, ...messageValues(message)])
    this.#stored += this.#added.length
    this.#added = []
  }

  async #nextStored(after: number, senders: readonly string[]): Promise<StoredMessage | undefined> {
    if (this.#stored === 0) return undefined
    const ahead = this.#lookedUp.get(keyOf(senders))
    const answers =
      ahead !== undefined &&
      after >= ahead.after &&
      (ahead.message === undefined || after < ahead.message.seq)
    if (answers) return ahead.message
    const asked = [this.#roomId, whole(after), senders.map(kept)]
    const [row] = await this.#tx.query<MessageRow>(NEXT_MESSAGE, asked)
    return row && readMessage(row)
  }
}

function keyOf(senders: readonly string[]): string {
  return JSON.stringify(senders)
}

/**
 * A bound that a caller has named, as a whole number that a bigint can hold: what lies on which side of it
 * stays the same.
 */
function whole(bound: number): number {
  if (Number.isNaN(bound)) return -1
  return Math.floor(Math.min(Math.max(bound, -1), Number.MAX_SAFE_INTEGER))
}

/** The consumers of one room within a transaction: as they are stored, and as they are to be. */
export class StoredConsumers {
  readonly #tx: Transaction
  readonly #roomId: string
  /** By handle; undefined: it is known that there is none. */
  readonly #known = new Map<string, Consumer | undefined>()
  readonly #saved = new Map<string, { readonly claim: boolean }>()
  /** The handles of those that are stored, as far as they are known. */
  readonly #stored = new Set<string>()
  /** Whose first claim here this is, with how many rooms each may have claims in. */
  readonly #firstClaims = new Map<string, number>()

  constructor(tx: Transaction, roomId: string) {
    this.#tx = tx
    this.#roomId = roomId
  }

  /** Whose claims in other rooms may be too many once this is kept: by handle, with how many may stay. */
  get firstClaims(): ReadonlyMap<string, number> {
    return this.#firstClaims
  }

  /** Takes note of a consumer that was looked up ahead. */
  know(handle: string, consumer: Consumer | undefined): void {
    if (this.#known.has(handle)) return
    this.#known.set(handle, consumer)
    if (consumer !== undefined) this.#stored.add(handle)
  }

  async of(handle: string): Promise<Consumer | undefined> {
    if (this.#known.has(handle)) return this.#known.get(handle)
    const [row] = await this.#tx.query<ConsumerRow>(CONSUMER_OF, [this.#roomId, handle])
    this.know(handle, row && readConsumer(this.#roomId, row))
    return this.#known.get(handle)
  }

  async all(): Promise<Consumer[]> {
    const rows = await this.#tx.query<ConsumerRow>(CONSUMERS_OF, [this.#roomId])
    for (const row of rows) this.know(row.handle, readConsumer(this.#roomId, row))
    return [...this.#known.values()].filter(consumer => consumer !== undefined)
  }

  async save(consumer: Consumer): Promise<void> {
    await this.of(consumer.handle)
    const { claim } = this.#saved.get(consumer.handle) ?? { claim: false }
    this.#set(consumer, claim)
  }

  async claim(consumer: Consumer, keep: number): Promise<void> {
    if ((await this.of(consumer.handle)) === undefined) this.#firstClaims.set(consumer.handle, keep)
    this.#set(consumer, true)
  }

  /**
   * Sends those that have changed.
   *
   * @param touchedAt when the room was last active, if that has changed and one of them can be sent with it
   * @returns whether one of them was
   */
  store(touchedAt: number | undefined): boolean {
    let touching = touchedAt
    for (const [handle, { claim }] of this.#saved) {
      const consumer = this.#known.get(handle)
      if (consumer === undefined) continue
      const values = consumerValues(consumer)
      if (!this.#stored.has(handle)) this.#tx.send(ADD_CONSUMER, values)
      else if (touching === undefined) this.#tx.send(claim ? CHANGE_CLAIM : CHANGE_CONSUMER, values)
      else {
        const change = claim ? TOUCH_AND_CHANGE_CLAIM : TOUCH_AND_CHANGE_CONSUMER
        this.#tx.send(change, [...values, touching])
        touching = undefined
      }
    }
    return touching !== touchedAt
  }

  #set(consumer: Consumer, claim: boolean): void {
    this.#known.set(consumer.handle, consumer)
    // Sent in the order of the latest claims.
    this.#saved.delete(consumer.handle)
    this.#saved.set(consumer.handle, { claim })
  }
}
