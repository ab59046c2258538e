import type { Consumer } from '../domain/consumer.js'
import type { Identity } from '../domain/identity.js'
import type { Room, StoredMessage } from '../domain/room.js'

/** All that a store keeps, as plain data. */
export interface SafebotTables {
  /** With their buffers, in the order of the messages' `seq`. */
  readonly rooms: readonly { readonly room: Room; readonly messages: readonly StoredMessage[] }[]
  /** Each handle's in the order in which it last claimed there. */
  readonly consumers: readonly ConsumerRow[]
  readonly identities: readonly Identity[]
}

/** The fields of a {@link Consumer}. */
export type ConsumerRow = Pick<Consumer, 'handle' | 'roomId' | 'cursor' | 'lease' | 'labels'>

/**
 * Where rooms, their buffers and their consumers are kept, and who has registered.
 *
 * Rules are the domain's: a store keeps what it is given and finds what it is asked for.
 */
export interface SafebotStore {
  /**
   * Runs `work` alone in its room: no other transaction in the same room, from whichever process, runs
   * meanwhile. If it throws, nothing it wrote stays; domain code checks before it writes, so that a store
   * without rollback keeps that promise too.
   */
  transaction<T>(roomId: string, work: (tx: RoomTransaction) => Promise<T>): Promise<T>
  /** The ids of all rooms. */
  roomIds(): Promise<string[]>
  /** How much there is in all rooms together. */
  usage(): Promise<Usage>

  identity(handle: string): Promise<Identity | undefined>
  /** Adds an identity; tells whether its handle was free. */
  addIdentity(identity: Identity): Promise<boolean>
  identityCount(): Promise<number>

  /** All there is, at one moment between transactions. */
  dump(): Promise<SafebotTables>
  /** Keeps that and nothing else, in one step. */
  load(tables: SafebotTables): Promise<void>
  close(): Promise<void>
}

export interface Usage {
  rooms: number
  messages: number
  /** Characters of ciphertext. */
  ciphertextChars: number
}

/** What may be done within one room. Messages come in the order of their `seq`. */
export interface RoomTransaction {
  room(): Promise<Room | undefined>
  saveRoom(room: Room): Promise<void>
  /** Removes the room and its buffer. Its consumers stay: a cursor outlives the room. */
  removeRoom(): Promise<void>

  append(message: StoredMessage): Promise<void>
  /** Lets go of what arrived before `instant`, of the oldest beyond `keep`, and of what did not want to be kept until `now`. */
  prune(now: number, instant: number, keep: number): Promise<void>
  count(): Promise<number>
  oldest(): Promise<StoredMessage | undefined>
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
