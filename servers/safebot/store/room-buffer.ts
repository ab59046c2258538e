import { expiryOf, type StoredMessage } from '../domain/room.js'

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
