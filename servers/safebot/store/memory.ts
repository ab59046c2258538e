import { OneAtATime } from '../../../shared/util/one-at-a-time.js'
import { Consumer } from '../domain/consumer.js'
import type { Identity } from '../domain/identity.js'
import { NONCE_KINDS, type NonceKind, Nonces } from '../domain/nonces.js'
import { MemoryTables } from './memory-tables.js'
import { MemoryTransaction } from './memory-transaction.js'
import type { RoomTransaction, SafebotStore, SafebotTables, Usage } from './store.js'

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

  async useNonce(
    kind: NonceKind,
    owner: string,
    nonce: string,
    now: number,
    capacity: number,
  ): Promise<boolean> {
    return this.#nonces[kind].use(owner, nonce, now, capacity)
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
      await tx.saveClaim(new Consumer(handle, roomId, cursor, lease, labels), Number.POSITIVE_INFINITY)
    }
    for (const identity of identities) await this.addIdentity(identity)
    for (const kind of NONCE_KINDS) this.#nonces[kind].restore(nonces[kind])
    this.#tables.holdings.restore(holdings)
  }

  async close(): Promise<void> {
    this.#tables.clear()
  }
}
