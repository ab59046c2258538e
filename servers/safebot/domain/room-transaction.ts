import type { List, PartitionDump, Table, Totals } from '../../../shared/records/partition.js'
import type { Transaction } from '../../../shared/records/transaction.js'
import { Consumer } from './consumer.js'
import { expiryOf, type Room, type StoredMessage } from './model.js'

const PINS = 'pins'

/**
 * The last period in which no request or participant kept a room alive, as instants. It began when the last
 * pin ended (-Infinity if there was none). It ended when the current pin began (Infinity if there is none).
 */
export interface IdlePeriod {
  readonly from: number
  readonly until: number
}

/** Usage of all rooms together. */
export interface Usage {
  readonly rooms: number
  readonly messages: number
  /** Characters of ciphertext. */
  readonly ciphertextChars: number
}

/** A room without its activity, which is in the summary of its partition. */
type RoomRecord = Omit<Room, 'activeAt'>

/** The fields of a {@link Consumer} in a room's records. */
interface ConsumerRecord extends Pick<Consumer, 'cursor' | 'lease' | 'labels'> {
  /** The instant of the latest claim of its handle. 0: there was none. */
  readonly claimed: number
}

/** The pin of one replica on a room: its beginning, and the end of the last one. Null: none. */
interface ReplicaPin {
  readonly since: number | null
  readonly released: number | null
}

export interface RoomTransactionOptions {
  roomId: string
  /** The number of this replica. */
  replica: number
}

/** Reads and changes one room: the room itself, its messages, its consumers, and the pins of replicas. */
export class RoomTransaction {
  readonly #tx: Transaction
  readonly #options: RoomTransactionOptions
  readonly #rooms: Table<RoomRecord>
  readonly #messages: List<StoredMessage>
  readonly #consumers: Table<ConsumerRecord>
  readonly #pins: Table<ReplicaPin>
  readonly #firstClaims: string[] = []

  constructor(tx: Transaction, options: RoomTransactionOptions) {
    this.#tx = tx
    this.#options = options
    this.#rooms = tx.table<RoomRecord>('room')
    this.#messages = tx.list<StoredMessage>('messages')
    this.#consumers = tx.table<ConsumerRecord>('consumers')
    this.#pins = tx.table<ReplicaPin>(PINS)
  }

  /** Handles with their first claim in this room. */
  get firstClaims(): readonly string[] {
    return this.#firstClaims
  }

  room(): Room | undefined {
    const record = this.#rooms.get('room')
    if (record === undefined) return undefined
    const { id, createdAt, lastSeq, signedOnly } = record
    return { id, createdAt, lastSeq, signedOnly, activeAt: this.#tx.summary.activeAt }
  }

  /**
   * Saves the room. Each field is named, because V8 keeps an object of a rest pattern as a dictionary, which
   * slows every later read.
   */
  saveRoom({ activeAt, id, createdAt, lastSeq, signedOnly }: Room): void {
    this.#rooms.set('room', { id, createdAt, lastSeq, signedOnly })
    this.#tx.summary = { ...this.#tx.summary, open: true, activeAt }
  }

  /** Sets the last activity of the room, the most frequent change. */
  touch(activeAt: number): void {
    this.#tx.summary = { ...this.#tx.summary, activeAt }
  }

  /**
   * Removes the room, its messages, and the end of its last pin. Its consumers stay: a cursor outlives the
   * room.
   */
  removeRoom(): void {
    this.#rooms.delete('room')
    this.#messages.clear()
    this.#setExpiry(Number.POSITIVE_INFINITY)
    this.#tx.summary = { ...this.#tx.summary, open: false, entries: 0, bytes: 0 }
    for (const [replica, { since }] of [...this.#pins.entries()]) {
      if (since === null) this.#pins.delete(replica)
      else this.#pins.set(replica, { since, released: null })
    }
  }

  /** Returns the usage of all rooms together. Requires the option `totals`. */
  usage(): Usage {
    return usageOf(this.#tx.totals)
  }

  /** Wakes waiting requests in this room, on every replica. */
  announce(): void {
    const replica = String(this.#options.replica)
    const pinnedElsewhere = [...this.#pins.entries()].some(
      ([other, { since }]) => other !== replica && since !== null,
    )
    // A request that waits on another replica pins the room.
    this.#tx.announce('', pinnedElsewhere)
  }

  append(message: StoredMessage): void {
    this.#messages.set(message.seq, message)
    this.#setExpiry(Math.min(this.#expiry(), expiryOf(message)))
    this.#count(1, message.ciphertext.length)
  }

  /**
   * Deletes messages that arrived before `instant`, the oldest beyond `keep`, and those that did not ask to
   * be kept until `now`.
   */
  prune(now: number, instant: number, keep: number): void {
    const messages = this.#messages
    for (let { first } = messages; first !== undefined; first = messages.first) {
      if (messages.size <= keep && first.ts >= instant) break
      this.#delete(first)
    }
    if (this.#expiry() > now) return
    let expiry = Number.POSITIVE_INFINITY
    for (const message of messages.values()) {
      if (expiryOf(message) <= now) this.#delete(message)
      else expiry = Math.min(expiry, expiryOf(message))
    }
    this.#setExpiry(expiry)
  }

  count(): number {
    return this.#messages.size
  }

  oldestSeq(): number | undefined {
    return this.#messages.firstNumber
  }

  message(seq: number): StoredMessage | undefined {
    return this.#messages.get(seq)
  }

  /** Returns the first `limit` messages after `after`. */
  messages(after: number, limit: number): StoredMessage[] {
    return this.#messages.after(after, limit)
  }

  /** Returns the first message after `after` that is from none of `senders`. */
  next(after: number, senders: readonly string[]): StoredMessage | undefined {
    return this.#messages.find(after, ({ sender }) => !senders.includes(sender))
  }

  consumer(handle: string): Consumer | undefined {
    const known = this.#consumers.get(handle)
    return known && this.#consumerOf(handle, known)
  }

  consumers(): Consumer[] {
    return [...this.#consumers.entries()].map(([handle, known]) => this.#consumerOf(handle, known))
  }

  saveConsumer({ handle, cursor, lease, labels }: Consumer): void {
    const claimed = this.#consumers.get(handle)?.claimed ?? 0
    this.#consumers.set(handle, { cursor, lease, labels, claimed })
  }

  /** Saves a consumer as the latest claim of its handle. */
  saveClaim({ handle, cursor, lease, labels }: Consumer, now: number): void {
    if (!this.#consumers.has(handle)) this.#firstClaims.push(handle)
    this.#consumers.set(handle, { cursor, lease, labels, claimed: now })
  }

  /** The instant of a handle's latest claim in this room. 0: there was none. */
  claimed(handle: string): number {
    return this.#consumers.get(handle)?.claimed ?? 0
  }

  /** Drops a handle's consumer, unless the handle has claimed again. @returns whether it was dropped */
  dropClaim(handle: string, claimed: number): boolean {
    if (this.claimed(handle) !== claimed) return false
    this.#consumers.delete(handle)
    return true
  }

  /** Pins the room for this replica from an instant on. */
  pin(since: number): void {
    const { replica } = this.#options
    const released = this.#pins.get(String(replica))?.released ?? null
    this.#pins.set(String(replica), { since, released })
  }

  /** Ends this replica's pin. The end is not stored for a room that does not exist. */
  unpin(at: number): void {
    const replica = String(this.#options.replica)
    if (this.room() === undefined) this.#pins.delete(replica)
    else this.#pins.set(replica, { since: null, released: at })
  }

  /**
   * Returns the last period without a pin of any replica. The pin of a replica that has ended ends at `now`.
   * Requires the option `idleBefore`, and a room that was idle then.
   */
  idlePeriod(now: number): IdlePeriod {
    let from = Number.NEGATIVE_INFINITY
    let until = Number.POSITIVE_INFINITY
    for (const [replica, pin] of [...this.#pins.entries()]) {
      const gone = pin.since !== null && !this.#tx.replicas.includes(Number(replica))
      const { since, released } = gone ? { since: null, released: now } : pin
      if (gone) this.#pins.set(replica, { since, released })
      from = Math.max(from, released ?? from)
      until = Math.min(until, since ?? until)
    }
    return { from, until }
  }

  #consumerOf(handle: string, { cursor, lease, labels }: ConsumerRecord): Consumer {
    return new Consumer({ handle, roomId: this.#options.roomId, cursor, lease, labels })
  }

  #delete({ seq, ciphertext }: StoredMessage): void {
    this.#messages.delete(seq)
    this.#count(-1, -ciphertext.length)
  }

  #count(messages: number, ciphertextChars: number): void {
    const { summary } = this.#tx
    const { entries, bytes } = summary
    this.#tx.summary = { ...summary, entries: entries + messages, bytes: bytes + ciphertextChars }
  }

  /** Returns the earliest instant at which a message's lifetime ends. */
  #expiry(): number {
    return this.#tx.table<number>('expiry').get('next') ?? Number.POSITIVE_INFINITY
  }

  #setExpiry(instant: number): void {
    const expiry = this.#tx.table<number>('expiry')
    if (instant === Number.POSITIVE_INFINITY) expiry.delete('next')
    else if (instant !== expiry.get('next')) expiry.set('next', instant)
  }
}

/** Returns the usage of all rooms together. @param totals of the partitions of rooms */
export function usageOf({ open, entries, bytes }: Totals): Usage {
  return { rooms: open, messages: entries, ciphertextChars: bytes }
}

/**
 * Returns a room's partition with one pin, of one replica: from the beginning of the first pin, and with the
 * end of the last one.
 */
export function withOnePin(partition: PartitionDump, replica: string): PartitionDump {
  const pins = pinsIn(partition)
  if (pins.length === 0) return partition
  const released = pins.flatMap(pin => pin.released ?? [])
  const one: ReplicaPin = {
    since: pinnedSince(partition) ?? null,
    released: released.length === 0 ? null : Math.max(...released),
  }
  const others = partition.records.filter(([collection]) => collection !== PINS)
  return { ...partition, records: [...others, [PINS, replica, one]] }
}

/** Returns the beginning of a room's first pin in a dump, if it has one. */
export function pinnedSince(partition: PartitionDump): number | undefined {
  const since = pinsIn(partition).flatMap(pin => pin.since ?? [])
  return since.length === 0 ? undefined : Math.min(...since)
}

function pinsIn({ records }: PartitionDump): ReplicaPin[] {
  return records.flatMap(([collection, , value]) =>
    collection === PINS ? [Object(value) as ReplicaPin] : [],
  )
}
