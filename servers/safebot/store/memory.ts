import { OneAtATime } from '../../../shared/util/locks.js'
import { Consumer } from '../domain/consumer.js'
import { expiryOf, type Identity, type Room, type StoredMessage } from '../domain/model.js'
import { NONCE_KINDS, type NonceKind, Nonces, type UsedNonce } from '../domain/nonces.js'
import type { Holdings, RoomTransaction, SafebotStore, SafebotTables, Unheld, Usage } from './store.js'

/** The store of one process: gone with it. */
export class MemoryStore implements SafebotStore {
  readonly others = undefined
  readonly #tables = new MemoryTables()
  readonly #nonces: Readonly<Record<NonceKind, Nonces>> = {
    requests: new Nonces(),
    messages: new Nonces(),
    registrations: new Nonces(),
  }
  readonly #rooms = new OneAtATime()

  transaction<T>(roomId: string, work: (tx: RoomTransaction) => Promise<T>): Promise<T> {
    return this.#rooms.run(roomId, () => work(new MemoryTransaction(this.#tables, roomId)))
  }

  async roomIds(activeBefore = Number.POSITIVE_INFINITY): Promise<string[]> {
    return [...this.#tables.rooms.values()].filter(room => room.activeAt < activeBefore).map(({ id }) => id)
  }

  async usage(): Promise<Usage> {
    return this.#tables.usage()
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

  async useNonce(kind: NonceKind, used: UsedNonce, capacity: number, machineNow: number): Promise<boolean> {
    return this.#nonces[kind].use(used, capacity, machineNow)
  }

  hold(roomId: string, since: number): undefined {
    this.#tables.holdings.hold(roomId, since)
  }

  release(roomId: string, at: number): undefined {
    this.#tables.holdings.release(roomId, at, this.#tables.rooms.has(roomId))
  }

  /** What this process holds it knows anyway. */
  async holdOnly(): Promise<void> {}

  /** Whoever asks sees to it that no transaction is under way: see `Rooms.alone`. */
  async dump(): Promise<SafebotTables> {
    const { rooms, buffers, consumers, claims, identities, holdings } = this.#tables
    const { requests, messages, registrations } = this.#nonces
    return {
      rooms: [...rooms].map(([id, room]) => ({ room, messages: buffers.get(id)?.all() ?? [] })),
      consumers: [...claims].flatMap(([handle, claimed]) =>
        [...claimed].flatMap(roomId => {
          const consumer = consumers.get(roomId)?.get(handle)
          return consumer === undefined ? [] : { ...consumer }
        }),
      ),
      identities: [...identities.values()],
      nonces: {
        requests: requests.snapshot(),
        messages: messages.snapshot(),
        registrations: registrations.snapshot(),
      },
      holdings: holdings.snapshot(),
    }
  }

  async load({ rooms, consumers, identities, nonces, holdings }: SafebotTables): Promise<void> {
    this.#tables.clear()
    for (const { room, messages } of rooms) {
      const tx = new MemoryTransaction(this.#tables, room.id)
      await tx.saveRoom(room)
      for (const message of messages) await tx.append(message)
    }
    for (const { handle, roomId, cursor, lease, labels } of consumers) {
      const tx = new MemoryTransaction(this.#tables, roomId)
      await tx.saveClaim(new Consumer({ handle, roomId, cursor, lease, labels }), Number.POSITIVE_INFINITY)
    }
    for (const identity of identities) await this.addIdentity(identity)
    for (const kind of NONCE_KINDS) this.#nonces[kind].restore(nonces[kind])
    this.#tables.holdings.restore(holdings)
  }

  async close(): Promise<void> {
    this.#tables.clear()
  }
}

/** What may be done in one room of this process. */
class MemoryTransaction implements RoomTransaction {
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
