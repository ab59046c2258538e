import type { Transaction } from '../../../../shared/records/transaction.js'
import { expiryOf, type StoredMessage } from '../../domain/model.js'
import { ADD_MESSAGE, BUFFER_OF, MESSAGE_AT, MESSAGES_AFTER, NEXT_MESSAGE, PRUNE } from './room-statements.js'
import { kept, type MessageRow, messageValues, type RoomRow, readMessage } from './rows.js'

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
