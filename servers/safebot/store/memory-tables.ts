import type { Consumer } from '../domain/consumer.js'
import type { Identity } from '../domain/identity.js'
import type { Room } from '../domain/room.js'
import { MemoryHoldings } from './memory-holdings.js'
import type { RoomBuffer } from './room-buffer.js'
import type { Usage } from './store.js'

/** What a process remembers. */
export class MemoryTables {
  readonly rooms = new Map<string, Room>()
  readonly buffers = new Map<string, RoomBuffer>()
  /** By room, then by handle. */
  readonly consumers = new Map<string, Map<string, Consumer>>()
  /** The rooms each handle has claimed in, least recently claimed first. */
  readonly claims = new Map<string, Set<string>>()
  /** By handle. */
  readonly identities = new Map<string, Identity>()
  readonly holdings = new MemoryHoldings()
  messages = 0
  ciphertextChars = 0

  usage(): Usage {
    const { messages, ciphertextChars } = this
    return { rooms: this.rooms.size, messages, ciphertextChars }
  }

  clear(): void {
    const { rooms, buffers, consumers, claims, identities, holdings } = this
    for (const table of [rooms, buffers, consumers, claims, identities, holdings]) table.clear()
    this.messages = 0
    this.ciphertextChars = 0
  }
}
