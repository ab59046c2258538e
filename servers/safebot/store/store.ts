import type { Refusal } from '../../../shared/errors.js'
import type { Consumer } from '../domain/consumer.js'
import type { Identity, Room, StoredMessage } from '../domain/model.js'
import type { NonceKind, UsedNonce } from '../domain/nonces.js'

/** Which rooms are held, and which were left: by id, with the instants, in the order of the ids. */
export interface Holdings {
  readonly held: readonly (readonly [roomId: string, since: number])[]
  readonly released: readonly (readonly [roomId: string, at: number])[]
}

/**
 * The last stretch of time in which nothing held a room, as instants: it began when the last holder left (-Infinity if there
 * never was one), and ended when the present one came (Infinity if there is none).
 */
export interface Unheld {
  readonly from: number
  readonly until: number
}

/** All that a store keeps, as plain data. */
export interface SafebotTables {
  /** With their buffers, in the order of the messages' `seq`. */
  readonly rooms: readonly { readonly room: Room; readonly messages: readonly StoredMessage[] }[]
  /** Each handle's in the order in which it last claimed there. */
  readonly consumers: readonly ConsumerRow[]
  readonly identities: readonly Identity[]
  /** Each owner's in the order in which they came. */
  readonly nonces: Readonly<Record<NonceKind, readonly UsedNonce[]>>
  readonly holdings: Holdings
}

/** The fields of a {@link Consumer}. */
export type ConsumerRow = Pick<Consumer, 'handle' | 'roomId' | 'cursor' | 'lease' | 'labels'>

/**
 * Where rooms, their buffers and their consumers are kept, and who has registered.
 *
 * Rules are the domain's: a store keeps what it is given and finds what it is asked for.
 */
export interface SafebotStore {
  /** Those who share it; undefined: nobody does. */
  readonly others: Others | undefined

  /**
   * Runs `work` alone in its room: no other transaction in the same room, from whichever process, runs
   * meanwhile. If it throws, nothing it wrote stays; domain code checks before it writes, so that a store
   * without rollback keeps that promise too. It may be run again, and asks nothing of the store but through `tx`.
   *
   * @param foresight what it will ask; a store that is far away looks that up in one go
   */
  transaction<T>(roomId: string, work: (tx: RoomTransaction) => Promise<T>, foresight?: Foresight): Promise<T>
  /** The ids of all rooms, or of those that were last active before an instant. */
  roomIds(activeBefore?: number): Promise<string[]>
  /** How much there is in all rooms together. */
  usage(): Promise<Usage>

  identity(handle: string): Promise<Identity | undefined>
  /** Adds an identity; tells whether its handle was free. */
  addIdentity(identity: Identity): Promise<boolean>
  identityCount(): Promise<number>

  /**
   * Takes note of a nonce; tells whether it may be used: it is new, and there is room to remember it.
   *
   * @param used with the present instant, milliseconds since the epoch
   * @param capacity how many one owner may use in `REMEMBERED_MS`; Infinity: any number
   * @param machineNow the present instant by the machine's time, milliseconds since the epoch; see `isRemembered`
   */
  useNonce(kind: NonceKind, used: UsedNonce, capacity: number, machineNow: number): Promise<boolean>

  /** This process holds a room, from an instant on; undefined: that is noted already. */
  hold(roomId: string, since: number): Promise<void> | undefined
  /** This process holds it no longer; likewise. */
  release(roomId: string, at: number): Promise<void> | undefined
  /** This process holds those rooms, from those instants on, and no others. */
  holdOnly(held: Holdings['held'], now: number): Promise<void>

  /** All there is, at one moment between transactions. */
  dump(): Promise<SafebotTables>
  /**
   * Keeps that and nothing else, in one step. What was held counts as held by this process.
   *
   * @param agreed settings that go with it, of a store that is shared
   */
  load(tables: SafebotTables, agreed?: Readonly<Record<string, unknown>>): Promise<void>
  close(): Promise<void>
}

/** The other processes that share a store. What they tell may be late or lost, but for what {@link missed} finds. */
export interface Others {
  /** Calls `listener` for each room in which one of them has announced something. */
  onAnnounced(listener: (roomId: string) => void): void
  /** Calls `listener` when one of them has loaded another state. */
  onReset(listener: () => void): void
  /** Calls `listener` when announcements may have been lost, and the store is there again. */
  onGap(listener: () => void): void
  /** Calls `listener` when the store has gone away, with what those who wait are to be told. */
  onUnavailable(listener: (refusal: Refusal) => void): void
  /** Those of the rooms that this process holds in which there was an announcement that it has not been told of. */
  missed(roomIds: readonly string[]): Promise<string[]>
}

export interface Usage {
  rooms: number
  messages: number
  /** Characters of ciphertext. */
  ciphertextChars: number
}

/** What a transaction is going to ask, as far as that is known beforehand. */
export interface Foresight {
  /** The consumer of this handle. */
  handle?: string
  /** The message it holds, or the next one behind its cursor from none of these, as `next` takes them. */
  senders?: readonly string[]
  /** What a post asks: how much there is, and whether others are to be told. */
  posting?: boolean
}

/** What may be done within one room. Messages come in the order of their `seq`. */
export interface RoomTransaction {
  room(): Promise<Room | undefined>
  saveRoom(room: Room): Promise<void>
  /** Removes the room and its buffer, and forgets when it was left. Its consumers stay: a cursor outlives the room. */
  removeRoom(): Promise<void>
  /** How much there is in all rooms together. */
  usage(): Promise<Usage>
  /** How the room was held, by this process and all others; the holds of those that are gone end at `now`, if not before. */
  unheld(now: number): Promise<Unheld>
  /** Tells the others, once this is kept, that there is something in the room for whoever waits there. */
  announce(): Promise<void>

  append(message: StoredMessage): Promise<void>
  /**
   * Lets go of what arrived before `instant`, of the oldest beyond `keep`, and of what did not want to be
   * kept until `now`.
   */
  prune(now: number, instant: number, keep: number): Promise<void>
  count(): Promise<number>
  oldestSeq(): Promise<number | undefined>
  message(seq: number): Promise<StoredMessage | undefined>
  /** The first `limit` messages behind `after`. */
  messages(after: number, limit: number): Promise<StoredMessage[]>
  /** The first message behind `after` from none of `senders`. */
  next(after: number, senders: readonly string[]): Promise<StoredMessage | undefined>

  consumer(handle: string): Promise<Consumer | undefined>
  consumers(): Promise<Consumer[]>
  saveConsumer(consumer: Consumer): Promise<void>
  /** Saves it as its handle's latest claim, and lets go of that handle's earliest claimed rooms beyond `keep`. */
  saveClaim(consumer: Consumer, keep: number): Promise<void>
}
