import type { Consumer } from '../domain/consumer.js'
import type { Room, StoredMessage } from '../domain/room.js'
import type { MemoryTables } from './memory-tables.js'
import { RoomBuffer } from './room-buffer.js'
import type { RoomTransaction, Unheld, Usage } from './store.js'

/** What may be done in one room of this process. */
export class MemoryTransaction implements RoomTransaction {
  readonly #tables: MemoryTables
  readonly #roomId: string

  constructor(tables: MemoryTables, roomId: string) {
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
    const buffer = this.#buffer
    if (buffer !== undefined) this.#count(-buffer.size, -buffer.ciphertextChars)
    this.#tables.rooms.delete(this.#roomId)
    this.#tables.buffers.delete(this.#roomId)
    this.#tables.holdings.forget(this.#roomId)
  }

  async usage(): Promise<Usage> {
    return this.#tables.usage()
  }

  async unheld(): Promise<Unheld> {
    return this.#tables.holdings.unheld(this.#roomId)
  }

  /** There is nobody else to be told. */
  async announce(): Promise<void> {}

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

  async oldestSeq(): Promise<number | undefined> {
    return this.#buffer?.oldest?.seq
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
    this.#tables.messages += messages
    this.#tables.ciphertextChars += ciphertextChars
  }
}
