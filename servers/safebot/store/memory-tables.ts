import type { Consumer } from '../domain/consumer.js'
import type { Identity } from '../domain/identity.js'
import { expiryOf, type Room, type StoredMessage } from '../domain/room.js'
import type { Holdings, Unheld, Usage } from './store.js'

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

/** Which rooms this process holds, and which it has left. */
class MemoryHoldings {
  readonly #held = new Map<string, number>()
  /** When the last holder of a room left it. */
  readonly #released = new Map<string, number>()

  hold(roomId: string, since: number): void {
    this.#held.set(roomId, since)
  }

  /** @param exists whether there is such a room: when one was left that is none makes no difference to anybody */
  release(roomId: string, at: number, exists: boolean): void {
    this.#held.delete(roomId)
    if (exists) this.#released.set(roomId, at)
  }

  unheld(roomId: string): Unheld {
    return {
      from: this.#released.get(roomId) ?? Number.NEGATIVE_INFINITY,
      until: this.#held.get(roomId) ?? Number.POSITIVE_INFINITY,
    }
  }

  /** Forgets when a room was left that is no more. */
  forget(roomId: string): void {
    this.#released.delete(roomId)
  }

  snapshot(): Holdings {
    // Who came first matters nowhere, and two that hold the same are to look the same.
    return { held: [...this.#held].toSorted(byRoom), released: [...this.#released].toSorted(byRoom) }
  }

  restore({ held, released }: Holdings): void {
    this.clear()
    for (const [roomId, since] of held) this.#held.set(roomId, since)
    for (const [roomId, at] of released) this.#released.set(roomId, at)
  }

  clear(): void {
    this.#held.clear()
    this.#released.clear()
  }
}

function byRoom([one]: readonly [string, number], [other]: readonly [string, number]): number {
  return one < other ? -1 : 1
}

/** The messages of one room, in the order of their `seq`; there may be gaps between them. */
export class RoomBuffer {
  #messages: StoredMessage[] = []
  /** The earliest instant at which one of them goes by its own wish. */
  #nextExpiry = Number.POSITIVE_INFINITY
  #ciphertextChars = 0

  get size(): number {
    return this.#messages.length
  }

  get ciphertextChars(): number {
    return this.#ciphertextChars
  }

  get oldest(): StoredMessage | undefined {
    return this.#messages[0]
  }

  /** Every one of them. */
  all(): StoredMessage[] {
    return [...this.#messages]
  }

  append(message: StoredMessage): void {
    this.#messages.push(message)
    this.#ciphertextChars += message.ciphertext.length
    this.#nextExpiry = Math.min(this.#nextExpiry, expiryOf(message))
  }

  /** See `RoomTransaction.prune`. */
  prune(now: number, instant: number, keep: number): void {
    const messages = this.#messages
    let gone = Math.max(0, messages.length - keep)
    for (let oldest = messages[gone]; oldest !== undefined && oldest.ts < instant; oldest = messages[gone]) {
      gone++
    }
    for (const message of messages.splice(0, gone)) this.#ciphertextChars -= message.ciphertext.length
    if (this.#nextExpiry <= now) this.#dropExpired(now)
  }

  at(seq: number): StoredMessage | undefined {
    const found = this.#messages[this.#indexAfter(seq - 1)]
    return found?.seq === seq ? found : undefined
  }

  after(seq: number, limit: number): StoredMessage[] {
    const from = this.#indexAfter(seq)
    return this.#messages.slice(from, from + limit)
  }

  next(after: number, senders: readonly string[]): StoredMessage | undefined {
    const messages = this.#messages
    for (let at = this.#indexAfter(after); at < messages.length; at++) {
      const message = messages[at]
      if (message !== undefined && !senders.includes(message.sender)) return message
    }
    return undefined
  }

  #dropExpired(now: number): void {
    const kept = this.#messages.filter(message => expiryOf(message) > now)
    this.#messages = []
    this.#ciphertextChars = 0
    this.#nextExpiry = Number.POSITIVE_INFINITY
    for (const message of kept) this.append(message)
  }

  /** Where the first message behind `after` stands. */
  #indexAfter(after: number): number {
    const messages = this.#messages
    let low = 0
    let high = messages.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((messages[middle]?.seq ?? 0) <= after) low = middle + 1
      else high = middle
    }
    return low
  }
}
