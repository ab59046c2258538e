import { statement } from '../../../../shared/records/statement.js'
import type { StoreDatabase } from '../../../../shared/records/store-database.js'
import { StoreUnavailable } from '../../../../shared/records/store-error.js'
import type { Identity } from '../../domain/model.js'
import type { NonceKind, UsedNonce } from '../../domain/nonces.js'
import type { Foresight, Holdings, RoomTransaction, SafebotStore, SafebotTables, Usage } from '../store.js'
import { Announcements } from './announcements.js'
import { readUsage, USAGE_OF_ALL, type UsageRow } from './enter-room.js'
import { OtherReplicas } from './other-replicas.js'
import { RoomQueue } from './room-queue.js'
import type { RoomSession } from './room-session.js'
import { EARLIER_CLAIMS, FORGET_CLAIM } from './room-statements.js'
import { StoredHolds } from './stored-holds.js'
import { LOCK_ROOM, StoredIdentities, StoredNonces } from './stored-identities.js'
import { dump, load } from './tables.js'

const ROOM_IDS = statement('SELECT id FROM rooms WHERE active_at < $1 ORDER BY created_at, id')

/** The store of as many processes as there are that share a PostgreSQL: each of them a replica. */
export class PostgresStore implements SafebotStore {
  readonly others: OtherReplicas
  readonly #database: StoreDatabase
  readonly #announcements: Announcements
  readonly #rooms: RoomQueue
  readonly #identities: StoredIdentities
  readonly #nonces: StoredNonces
  readonly #holds: StoredHolds

  private constructor(database: StoreDatabase) {
    this.#database = database
    this.#announcements = new Announcements(database)
    this.others = new OtherReplicas(database, this.#announcements)
    this.#rooms = new RoomQueue(database, (roomId, session) => this.#kept(roomId, session))
    this.#identities = new StoredIdentities(database)
    this.#nonces = new StoredNonces(database)
    this.#holds = new StoredHolds(database)
  }

  /** @param database whoever opened it closes it */
  static async open(database: StoreDatabase): Promise<PostgresStore> {
    const store = new PostgresStore(database)
    await store.#holds.tidy()
    return store
  }

  transaction<T>(
    roomId: string,
    work: (tx: RoomTransaction) => Promise<T>,
    foresight: Foresight = {},
  ): Promise<T> {
    return this.#rooms.run(roomId, work, foresight)
  }

  async roomIds(activeBefore = Number.MAX_SAFE_INTEGER): Promise<string[]> {
    const rows = await this.#database.read<{ id: string }>(ROOM_IDS, [activeBefore])
    return rows.map(({ id }) => id)
  }

  async usage(): Promise<Usage> {
    const [row] = await this.#database.read<UsageRow>(USAGE_OF_ALL)
    return readUsage(row)
  }

  identity(handle: string): Promise<Identity | undefined> {
    return this.#identities.find(handle)
  }

  addIdentity(identity: Identity): Promise<boolean> {
    return this.#identities.add(identity)
  }

  identityCount(): Promise<number> {
    return this.#identities.count()
  }

  useNonce(kind: NonceKind, used: UsedNonce, capacity: number, machineNow: number): Promise<boolean> {
    return this.#nonces.use(kind, used, capacity, machineNow)
  }

  hold(roomId: string, since: number): Promise<void> {
    this.#announcements.watch(roomId)
    return this.#holds.hold(roomId, since)
  }

  release(roomId: string, at: number): Promise<void> {
    this.#announcements.unwatch(roomId)
    return this.#holds.release(roomId, at)
  }

  holdOnly(held: Holdings['held'], now: number): Promise<void> {
    return this.#holds.holdOnly(held, now)
  }

  dump(): Promise<SafebotTables> {
    return dump(this.#database)
  }

  load(tables: SafebotTables, agreed: Readonly<Record<string, unknown>> = {}): Promise<void> {
    return load(this.#database, tables, agreed)
  }

  async close(): Promise<void> {
    this.others.close()
  }

  async #kept(roomId: string, session: RoomSession): Promise<void> {
    this.#announcements.seen(roomId, session.newsAtFirst)
    // Who waits here is woken by whoever has announced it here.
    if (session.announced !== undefined) this.#announcements.told(roomId, session.announced)
    for (const [handle, keep] of session.firstClaims) {
      await forgetEarlierClaims(this.#database, handle, keep)
    }
  }
}

/**
 * Lets go of a handle's earliest claims beyond `keep`, each alone in its own room, one room at a time: so
 * nobody's lease ends while somebody works with it, and nobody waits for a room while keeping another.
 */
async function forgetEarlierClaims(database: StoreDatabase, handle: string, keep: number): Promise<void> {
  try {
    const rooms = await database.read<{ room_id: string }>(EARLIER_CLAIMS, [handle, keep])
    for (const { room_id } of rooms) {
      await database.transaction(async tx => {
        tx.send(LOCK_ROOM, [room_id])
        // It may have been claimed in anew meanwhile: then it is another that goes.
        tx.send(FORGET_CLAIM, [room_id, handle, keep])
      })
    }
  } catch (error) {
    // The claim itself is kept; the handle's next first claim in a room sees to what is too much.
    if (!(error instanceof StoreUnavailable)) {
      database.log.error('the earliest claims of a handle could not be let go', error)
    }
  }
}

const TOPIC = 'safebot-base'

const ADD_BASE = statement('INSERT INTO bases (origin) VALUES ($1) ON CONFLICT (origin) DO NOTHING')
const BASES = statement('SELECT origin FROM bases')

/**
 * Lets the other replicas know where this one is, and learns where they are, or were.
 *
 * @param learn is given each origin once it is known, now and as long as the database is open
 */
export async function shareBase(
  database: StoreDatabase,
  origin: string,
  learn: (origin: string) => void,
): Promise<void> {
  const learnAll = async () => {
    for (const { origin: known } of await database.read<{ origin: string }>(BASES)) learn(known)
  }
  database.notices.on(TOPIC, payload => learn(payload))
  // If it is gone again by now, there will be another gap.
  database.notices.onGap(() => void learnAll().catch(() => undefined))
  await database.transaction(async tx => {
    tx.send(ADD_BASE, [origin])
    tx.notify(TOPIC, origin)
  })
  await learnAll()
}
