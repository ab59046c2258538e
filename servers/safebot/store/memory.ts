import { OneAtATime } from '../../../shared/one-at-a-time.js'
import type { Consumer } from '../domain/consumer.js'
import type { Room, StoredMessage } from '../domain/room.js'
import type { RoomTransaction, SafebotStore } from './store.js'

interface Tables {
  readonly rooms: Map<string, Room>
  readonly messages: Map<string, StoredMessage[]>
  /** By room, then by handle. */
  readonly consumers: Map<string, Map<string, Consumer>>
  /** The rooms each handle has claimed in, least recently claimed first. */
  readonly claims: Map<string, Set<string>>
}

/** The store of one process: gone with it. */
export class MemoryStore implements SafebotStore {
  readonly #tables: Tables = {
    rooms: new Map(),
    messages: new Map(),
    consumers: new Map(),
    claims: new Map(),
  }
  readonly #rooms = new OneAtATime()

  transaction<T>(roomId: string, work: (tx: RoomTransaction) => Promise<T>): Promise<T> {
    return this.#rooms.run(roomId, () => work(new MemoryTransaction(this.#tables, roomId)))
  }

  async roomIds(): Promise<string[]> {
    return [...this.#tables.rooms.keys()]
  }

  async close(): Promise<void> {
    for (const table of Object.values(this.#tables)) table.clear()
  }
}

class MemoryTransaction implements RoomTransaction {
  readonly #tables: Tables
  readonly #roomId: string

  constructor(tables: Tables, roomId: string) {
    this.#tables = tables
    this.#roomId = roomId
  }

  async room(): Promise<Room | undefined> {
    return this.#tables.rooms.get(this.#roomId)
  }

  async saveRoom(room: Room): Promise<void> {
    this.#tables.rooms.set(this.#roomId, room)
  }

  async removeRoom(): Promise<void> {
    this.#tables.rooms.delete(this.#roomId)
    this.#tables.messages.delete(this.#roomId)
  }

  async append(message: StoredMessage): Promise<void> {
    const buffer = this.#tables.messages.get(this.#roomId)
    if (buffer === undefined) this.#tables.messages.set(this.#roomId, [message])
    else buffer.push(message)
  }

  async prune(instant: number, keep: number): Promise<void> {
    const buffer = this.#buffer
    let gone = Math.max(0, buffer.length - keep)
    for (let oldest = buffer[gone]; oldest !== undefined && oldest.ts < instant; oldest = buffer[gone]) gone++
    if (gone > 0) buffer.splice(0, gone)
  }

  async count(): Promise<number> {
    return this.#buffer.length
  }

  async oldest(): Promise<StoredMessage | undefined> {
    return this.#buffer[0]
  }

  async message(seq: number): Promise<StoredMessage | undefined> {
    const found = this.#buffer[this.#indexAfter(seq - 1)]
    return found?.seq === seq ? found : undefined
  }

  async messages(after: number, limit: number): Promise<StoredMessage[]> {
    const from = this.#indexAfter(after)
    return this.#buffer.slice(from, from + limit)
  }

  async next(after: number, senders: readonly string[]): Promise<StoredMessage | undefined> {
    const buffer = this.#buffer
    for (let at = this.#indexAfter(after); at < buffer.length; at++) {
      const message = buffer[at]
      if (message !== undefined && !senders.includes(message.sender)) return message
    }
    return undefined
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

  get #buffer(): StoredMessage[] {
    return this.#tables.messages.get(this.#roomId) ?? []
  }

  /** Where the first message behind `after` stands: binary search, for buffers may have gaps. */
  #indexAfter(after: number): number {
    const buffer = this.#buffer
    let low = 0
    let high = buffer.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((buffer[middle]?.seq ?? 0) <= after) low = middle + 1
      else high = middle
    }
    return low
  }
}
