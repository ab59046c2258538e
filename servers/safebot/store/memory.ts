import { OneAtATime } from '../../../shared/one-at-a-time.js'
import { Consumer } from '../domain/consumer.js'
import type { Identity } from '../domain/identity.js'
import type { Room, StoredMessage } from '../domain/room.js'
import { RoomBuffer } from './room-buffer.js'
import type { RoomTransaction, SafebotStore, SafebotTables, Usage } from './store.js'

interface Tables {
  readonly rooms: Map<string, Room>
  readonly buffers: Map<string, RoomBuffer>
  /** By room, then by handle. */
  readonly consumers: Map<string, Map<string, Consumer>>
  /** The rooms each handle has claimed in, least recently claimed first. */
  readonly claims: Map<string, Set<string>>
  /** By handle. */
  readonly identities: Map<string, Identity>
}

/** The store of one process: gone with it. */
export class MemoryStore implements SafebotStore {
  readonly #tables: Tables = {
    rooms: new Map(),
    buffers: new Map(),
    consumers: new Map(),
    claims: new Map(),
    identities: new Map(),
  }
  readonly #usage: Usage = { rooms: 0, messages: 0, ciphertextChars: 0 }
  readonly #rooms = new OneAtATime()

  transaction<T>(roomId: string, work: (tx: RoomTransaction) => Promise<T>): Promise<T> {
    return this.#rooms.run(roomId, () => work(new MemoryTransaction(this.#tables, this.#usage, roomId)))
  }

  async roomIds(): Promise<string[]> {
    return [...this.#tables.rooms.keys()]
  }

  async usage(): Promise<Usage> {
    return { ...this.#usage, rooms: this.#tables.rooms.size }
  }

  async identity(handle: string): Promise<Identity | undefined> {
    return this.#tables.identities.get(handle)
  }

  async addIdentity(identity: Identity): Promise<boolean> {
    if (this.#tables.identities.has(identity.handle)) return false
    this.#tables.identities.set(identity.handle, identity)
    return true
  }

  async identityCount(): Promise<number> {
    return this.#tables.identities.size
  }

  /** Whoever asks sees to it that no transaction is under way: see `Rooms.alone`. */
  async dump(): Promise<SafebotTables> {
    const { rooms, buffers, consumers, claims, identities } = this.#tables
    return {
      rooms: [...rooms].map(([id, room]) => ({ room, messages: buffers.get(id)?.all() ?? [] })),
      consumers: [...claims].flatMap(([handle, claimed]) =>
        [...claimed].flatMap(roomId => {
          const consumer = consumers.get(roomId)?.get(handle)
          return consumer === undefined ? [] : { ...consumer }
        }),
      ),
      identities: [...identities.values()],
    }
  }

  async load({ rooms, consumers, identities }: SafebotTables): Promise<void> {
    for (const table of Object.values(this.#tables)) table.clear()
    Object.assign(this.#usage, { messages: 0, ciphertextChars: 0 } satisfies Partial<Usage>)
    for (const { room, messages } of rooms) {
      const tx = new MemoryTransaction(this.#tables, this.#usage, room.id)
      await tx.saveRoom(room)
      for (const message of messages) await tx.append(message)
    }
    for (const { handle, roomId, cursor, lease, labels } of consumers) {
      const tx = new MemoryTransaction(this.#tables, this.#usage, roomId)
      await tx.saveClaim(new Consumer(handle, roomId, cursor, lease, labels), Number.POSITIVE_INFINITY)
    }
    for (const identity of identities) await this.addIdentity(identity)
  }

  async close(): Promise<void> {
    for (const table of Object.values(this.#tables)) table.clear()
  }
}

class MemoryTransaction implements RoomTransaction {
  readonly #tables: Tables
  readonly #usage: Usage
  readonly #roomId: string

  constructor(tables: Tables, usage: Usage, roomId: string) {
    this.#tables = tables
    this.#usage = usage
    this.#roomId = roomId
  }

  async room(): Promise<Room | undefined> {
    return this.#tables.rooms.get(this.#roomId)
  }

  async saveRoom(room: Room): Promise<void> {
    this.#tables.rooms.set(this.#roomId, room)
  }

  async removeRoom(): Promise<void> {
    const buffer = this.#buffer
    if (buffer !== undefined) this.#count(-buffer.size, -buffer.ciphertextChars)
    this.#tables.rooms.delete(this.#roomId)
    this.#tables.buffers.delete(this.#roomId)
  }

  async append(message: StoredMessage): Promise<void> {
    const buffer = this.#buffer ?? new RoomBuffer()
    this.#tables.buffers.set(this.#roomId, buffer)
    buffer.append(message)
    this.#count(1, message.ciphertext.length)
  }

  async prune(now: number, instant: number, keep: number): Promise<void> {
    const buffer = this.#buffer
    if (buffer === undefined) return
    const { size, ciphertextChars } = buffer
    buffer.prune(now, instant, keep)
    this.#count(buffer.size - size, buffer.ciphertextChars - ciphertextChars)
  }

  async count(): Promise<number> {
    return this.#buffer?.size ?? 0
  }

  async oldest(): Promise<StoredMessage | undefined> {
    return this.#buffer?.oldest
  }

  async message(seq: number): Promise<StoredMessage | undefined> {
    return this.#buffer?.at(seq)
  }

  async messages(after: number, limit: number): Promise<StoredMessage[]> {
    return this.#buffer?.after(after, limit) ?? []
  }

  async next(after: number, senders: readonly string[]): Promise<StoredMessage | undefined> {
    return this.#buffer?.next(after, senders)
  }

  async consumer(handle: string): Promise<Consumer | undefined> {
    return this.#tables.consumers.get(this.#roomId)?.get(handle)
  }

  async consumers(): Promise<Consumer[]> {
    return [...(this.#tables.consumers.get(this.#roomId)?.values() ?? [])]
  }

  async saveConsumer(consumer: Consumer): Promise<void> {
    const consumers = this.#tables.consumers.get(this.#roomId)
    if (consumers === undefined) {
      this.#tables.consumers.set(this.#roomId, new Map([[consumer.handle, consumer]]))
    } else consumers.set(consumer.handle, consumer)
  }

  async saveClaim(consumer: Consumer, keep: number): Promise<void> {
    await this.saveConsumer(consumer)
    const { claims } = this.#tables
    const claimed = claims.get(consumer.handle) ?? new Set()
    claims.set(consumer.handle, claimed)
    claimed.delete(this.#roomId)
    claimed.add(this.#roomId)
    for (const roomId of claimed) {
      if (claimed.size <= keep) break
      claimed.delete(roomId)
      this.#forget(roomId, consumer.handle)
    }
  }

  #forget(roomId: string, handle: string): void {
    const consumers = this.#tables.consumers.get(roomId)
    consumers?.delete(handle)
    if (consumers?.size === 0) this.#tables.consumers.delete(roomId)
  }

  get #buffer(): RoomBuffer | undefined {
    return this.#tables.buffers.get(this.#roomId)
  }

  #count(messages: number, ciphertextChars: number): void {
    this.#usage.messages += messages
    this.#usage.ciphertextChars += ciphertextChars
  }
}
