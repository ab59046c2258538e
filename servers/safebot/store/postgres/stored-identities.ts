import { statement } from '../../../../shared/records/statement.js'
import type { StoreDatabase } from '../../../../shared/records/store-database.js'
import type { Identity } from '../../domain/model.js'
import { type NonceKind, REMEMBERED_MS, type UsedNonce } from '../../domain/nonces.js'

const IDENTITY = statement(
  'SELECT handle, box_pub, sign_pub, registered_at, meta FROM identities WHERE handle = $1',
)
const ADD_IDENTITY = statement(`
  INSERT INTO identities (handle, box_pub, sign_pub, registered_at, meta) VALUES ($1, $2, $3, $4, $5)
  ON CONFLICT (handle) DO NOTHING RETURNING handle`)
const COUNT = statement('SELECT count(*) AS count FROM identities')

/** An identity as its table has it. */
export interface IdentityRow {
  handle: string
  box_pub: string
  sign_pub: string
  registered_at: number
  meta: string
}

/** Who has registered, with whichever replica. */
export class StoredIdentities {
  readonly #database: StoreDatabase

  constructor(database: StoreDatabase) {
    this.#database = database
  }

  async find(handle: string): Promise<Identity | undefined> {
    // None has one that is no text PostgreSQL could hold.
    if (handle.includes('\0')) return undefined
    const [row] = await this.#database.read<IdentityRow & Record<string, unknown>>(IDENTITY, [handle])
    return row && readIdentity(row)
  }

  /** Whoever is first has it. */
  async add(identity: Identity): Promise<boolean> {
    return (await this.#database.write(ADD_IDENTITY, Object.values(identityRow(identity)))).length > 0
  }

  async count(): Promise<number> {
    const [row] = await this.#database.read<{ count: number }>(COUNT)
    return row?.count ?? 0
  }
}

export function identityRow({ handle, boxPub, signPub, registeredAt, meta }: Identity): IdentityRow {
  const keys = { box_pub: boxPub, sign_pub: signPub }
  return { handle, ...keys, registered_at: registeredAt, meta: JSON.stringify(meta) }
}

export function readIdentity({ handle, box_pub, sign_pub, registered_at, meta }: IdentityRow): Identity {
  const known: Identity['meta'] = JSON.parse(meta)
  return { handle, boxPub: box_pub, signPub: sign_pub, registeredAt: registered_at, meta: known }
}

/**
 * Adds a nonce at $4 that is fresh until $5, unless the same nonce is remembered (see `isRemembered`): used after $6,
 * or fresh at $7. Of two at once, the second gets no row.
 */
const USE = `
  INSERT INTO used_nonces (kind, owner, nonce, at, fresh_until) %
  ON CONFLICT (kind, owner, nonce) DO UPDATE SET at = excluded.at, fresh_until = excluded.fresh_until
    WHERE used_nonces.at <= $6 AND used_nonces.fresh_until < $7
  RETURNING at`

const USE_NONCE = statement(USE.replace('%', 'VALUES ($1, $2, $3, $4, $5)'))
const USE_ONE_OF_MANY = statement(
  USE.replace(
    '%',
    `SELECT $1, $2, $3, $4, $5 WHERE
       (SELECT count(*) FROM used_nonces WHERE kind = $1 AND owner = $2 AND at > $6) < $8`,
  ),
)
const FORGET_OLD = statement('DELETE FROM used_nonces WHERE at <= $1 AND fresh_until < $2')

/** The nonces that have been used up, on whichever replica. */
export class StoredNonces {
  readonly #database: StoreDatabase
  #sweptAt = 0

  constructor(database: StoreDatabase) {
    this.#database = database
  }

  async use(
    kind: NonceKind,
    { owner, nonce, at: now, freshUntil }: UsedNonce,
    capacity: number,
    machineNow: number,
  ): Promise<boolean> {
    const passed = Math.floor(Math.min(now, machineNow))
    this.#sweep(now, passed)
    const asked = [kind, owner, nonce, now, freshUntil, now - REMEMBERED_MS, passed]
    if (capacity === Number.POSITIVE_INFINITY)
      return (await this.#database.write(USE_NONCE, asked)).length > 0
    return this.#database.transaction(async tx => {
      tx.send(LOCK_NONCES, [kind, owner])
      return (await tx.query(USE_ONE_OF_MANY, [...asked, capacity])).length > 0
    })
  }

  /** Lets go of those that can be used no more anyway. */
  #sweep(now: number, passed: number): void {
    if (now - this.#sweptAt < REMEMBERED_MS) return
    this.#sweptAt = now
    // What it could not do, the next one will.
    this.#database.write(FORGET_OLD, [now - REMEMBERED_MS, passed]).catch(() => undefined)
  }
}

/** Nobody else is in the room until the transaction ends, and nobody loads another state. */
export const LOCK_ROOM = statement(`
  SELECT pg_advisory_xact_lock_shared(hashtextextended(current_schema() || ' safebot', 0)),
         pg_advisory_xact_lock(hashtextextended(current_schema() || ' room ' || $1, 0))`)

/** Nobody is in any room until the transaction ends. */
export const LOCK_ALL = statement(
  "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' safebot', 0))",
)

/** Nobody else counts the nonces of that owner until the transaction ends. */
export const LOCK_NONCES = statement(
  "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' nonces ' || $1 || ' ' || $2, 0))",
)
