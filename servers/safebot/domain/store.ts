import { isUnavailable } from '../../../shared/errors.js'
import {
  idOf,
  kindOf,
  NEVER_IDLE,
  type PartitionDump,
  type Table,
} from '../../../shared/records/partition.js'
import type { Records } from '../../../shared/records/records.js'
import type { Transaction, TransactionOptions } from '../../../shared/records/transaction.js'
import type { Identity } from './model.js'
import {
  type ClockTimes,
  forgetOld,
  NONCE_KINDS,
  type NonceKind,
  type NonceTimes,
  REMEMBERED_MS,
  spendNonce,
  type UsedNonce,
} from './nonces.js'
import { pinnedSince, RoomTransaction, type Usage, usageOf, withOnePin } from './room-transaction.js'

const SCOPE = 'safebot'
const ROOMS = `${SCOPE}/room`
const HANDLES = `${SCOPE}/handle`

/** The partition that stores the encryption keys of the world's rooms. */
const WORLD = `${SCOPE}/world/rooms`

/**
 * The form of a handle. A handle becomes part of a partition's name, so only these characters are allowed.
 */
const HANDLE = /^[a-z0-9_-]{1,64}$/

/**
 * Maximum number of rooms in which a handle has a cursor. One more room drops the cursor with the oldest
 * claim.
 */
const ROOMS_PER_HANDLE = 64

/** Pinned rooms by id, with the beginning of the pin. */
export type PinnedRooms = readonly (readonly [roomId: string, since: number])[]

/** The keys of the world's rooms, in base64url, by room. */
export type WorldKeys = Readonly<Record<string, string>>

/**
 * Stores rooms and handles as records: a partition for each room, one for each handle.
 *
 * The rules about messages, leases and limits are in other files of the domain.
 */
export class SafebotStore {
  readonly records: Records
  /** When nonces were last swept. */
  #sweptAt = 0

  constructor(records: Records) {
    this.records = records
  }

  /** Runs `work` as the only transaction in a room. See `Records.transaction`. */
  async transaction<T>(
    roomId: string,
    work: (tx: RoomTransaction) => T,
    options?: TransactionOptions,
  ): Promise<T> {
    let firstClaims: readonly string[] = []
    const result = await this.#inRoom(
      roomId,
      tx => {
        const done = work(tx)
        firstClaims = tx.firstClaims
        return done
      },
      options,
    )
    for (const handle of firstClaims) await this.#noteClaim(handle, roomId)
    return result
  }

  /** Returns the ids of all rooms, or of those without activity since an instant. */
  async roomIds(activeBefore?: number): Promise<string[]> {
    return (await this.records.partitions(ROOMS, activeBefore)).map(idOf)
  }

  async usage(): Promise<Usage> {
    return usageOf(await this.records.totals(ROOMS))
  }

  async identity(handle: string): Promise<Identity | undefined> {
    if (!HANDLE.test(handle)) return undefined
    return this.#ofHandle(handle, tx => identityTable(tx).get('identity'))
  }

  /** Adds an identity. Returns whether its handle was free. */
  addIdentity(identity: Identity): Promise<boolean> {
    return this.#ofHandle(identity.handle, tx => {
      if (identityTable(tx).has('identity')) return false
      identityTable(tx).set('identity', identity)
      tx.summary = { ...tx.summary, open: true }
      return true
    })
  }

  async identityCount(): Promise<number> {
    return (await this.records.totals(HANDLES)).open
  }

  /**
   * Adds a nonce to the used ones of its owner. See `spendNonce`.
   *
   * @param capacity maximum number of nonces of one owner in 120 s. Infinity means no limit.
   * @param machineNow machine time, in milliseconds since the epoch
   */
  useNonce(kind: NonceKind, used: UsedNonce, capacity: number, machineNow: number): Promise<boolean> {
    void this.#sweepNonces({ instance: used.at, machine: machineNow }).catch(() => undefined)
    return this.#ofHandle(used.owner, tx => {
      tx.summary = { ...tx.summary, activeAt: used.at }
      return spendNonce(tx.table<NonceTimes>(kind), used, machineNow, capacity)
    })
  }

  /**
   * Calls `listener` for each announcement in a room, on any replica, until the returned function is called.
   */
  watch(roomId: string, listener: () => void): () => void {
    return this.records.watch(`${ROOMS}/${roomId}`, listener)
  }

  worldKeys(): Promise<WorldKeys | undefined> {
    return this.records.transaction(WORLD, tx => tx.table<WorldKeys>('world').get('keys'))
  }

  setWorldKeys(keys: WorldKeys): Promise<void> {
    return this.records.transaction(WORLD, tx => tx.table<WorldKeys>('world').set('keys', keys))
  }

  /** Returns all records, at one instant between transactions. */
  dump(): Promise<PartitionDump[]> {
    return this.records.dump(SCOPE)
  }

  /** Replaces all records in one transaction. All pins then belong to this replica. */
  async load(partitions: readonly PartitionDump[]): Promise<void> {
    const replica = String(this.records.replica)
    await this.records.replace(
      SCOPE,
      partitions.map(partition => withOnePin(partition, replica)),
    )
    this.#sweptAt = 0
  }

  #inRoom<T>(roomId: string, work: (tx: RoomTransaction) => T, options?: TransactionOptions): Promise<T> {
    const { replica } = this.records
    return this.records.transaction(
      `${ROOMS}/${roomId}`,
      tx => work(new RoomTransaction(tx, { roomId, replica })),
      options,
    )
  }

  #ofHandle<T>(handle: string, work: (tx: Transaction) => T): Promise<T> {
    return this.records.transaction(`${HANDLES}/${handle}`, work)
  }

  /**
   * Records a handle's first claim in a room. Beyond {@link ROOMS_PER_HANDLE}, drops the least recent claim.
   */
  async #noteClaim(handle: string, roomId: string): Promise<void> {
    try {
      const roomIds = await this.#ofHandle(handle, tx => {
        const claims = claimTable(tx)
        claims.set(roomId, true)
        return claims.size > ROOMS_PER_HANDLE ? [...claims.keys()] : []
      })
      if (roomIds.length > 0) await this.#dropClaims(handle, roomIds)
    } catch (error) {
      // The claim itself is stored. The excess is dropped when the handle next claims in a new room.
      if (!isUnavailable(error)) throw error
    }
  }

  async #dropClaims(handle: string, roomIds: readonly string[]): Promise<void> {
    const claims: { roomId: string; claimed: number }[] = []
    for (const roomId of roomIds) {
      claims.push({ roomId, claimed: await this.#inRoom(roomId, tx => tx.claimed(handle)) })
    }
    const oldest = claims.toSorted((one, other) => one.claimed - other.claimed)
    for (const { roomId, claimed } of oldest.slice(0, roomIds.length - ROOMS_PER_HANDLE)) {
      const gone = await this.#inRoom(roomId, tx => tx.dropClaim(handle, claimed))
      if (gone) await this.#ofHandle(handle, tx => claimTable(tx).delete(roomId))
    }
  }

  /** Forgets the nonces of handles without recent requests. */
  async #sweepNonces(now: ClockTimes): Promise<void> {
    if (now.instance - this.#sweptAt < REMEMBERED_MS) return
    this.#sweptAt = now.instance
    for (const name of await this.records.partitions(HANDLES, now.instance - REMEMBERED_MS)) {
      await this.records.transaction(name, tx => {
        const tables = NONCE_KINDS.map(kind => tx.table<NonceTimes>(kind))
        for (const table of tables) forgetOld(table, now)
        // A handle that still has nonces must be found by the next sweep.
        const activeAt = tables.some(table => table.size > 0) ? now.instance : NEVER_IDLE
        tx.summary = { ...tx.summary, activeAt }
      })
    }
  }
}

/** Returns the pinned rooms in a dump, sorted by id. */
export function pinnedRoomsIn(partitions: readonly PartitionDump[]): PinnedRooms {
  return partitions.flatMap(partition => {
    const since = kindOf(partition.name) === ROOMS ? pinnedSince(partition) : undefined
    return since === undefined ? [] : [[idOf(partition.name), since] as const]
  })
}

function identityTable(tx: Transaction): Table<Identity> {
  return tx.table<Identity>('identity')
}

/** The rooms with a cursor of a handle. */
function claimTable(tx: Transaction): Table<true> {
  return tx.table<true>('claims')
}
