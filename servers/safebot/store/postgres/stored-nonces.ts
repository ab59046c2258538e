import { statement } from '../../../../shared/records/statement.js'
import type { StoreDatabase } from '../../../../shared/records/store-database.js'
import { type NonceKind, REMEMBERED_MS } from '../../domain/nonces.js'
import { LOCK_NONCES } from './locks.js'

/** Takes note of a nonce at $4, unless there is one from after $5: whoever comes second gets no row. */
const USE = `
  INSERT INTO used_nonces (kind, owner, nonce, at) %
  ON CONFLICT (kind, owner, nonce) DO UPDATE SET at = excluded.at WHERE used_nonces.at <= $5
  RETURNING at`

const USE_NONCE = statement(USE.replace('%', 'VALUES ($1, $2, $3, $4)'))
const USE_ONE_OF_MANY = statement(
  USE.replace(
    '%',
    `SELECT $1, $2, $3, $4 WHERE
       (SELECT count(*) FROM used_nonces WHERE kind = $1 AND owner = $2 AND at > $5) < $6`,
  ),
)
const FORGET_OLD = statement('DELETE FROM used_nonces WHERE at <= $1')

/** The nonces that have been used up, on whichever replica. */
export class StoredNonces {
  readonly #database: StoreDatabase
  #sweptAt = 0

  constructor(database: StoreDatabase) {
    this.#database = database
  }

  async use(kind: NonceKind, owner: string, nonce: string, now: number, capacity: number): Promise<boolean> {
    this.#sweep(now)
    const asked = [kind, owner, nonce, now, now - REMEMBERED_MS]
    if (capacity === Number.POSITIVE_INFINITY)
      return (await this.#database.write(USE_NONCE, asked)).length > 0
    return this.#database.transaction(async tx => {
      tx.send(LOCK_NONCES, [kind, owner])
      return (await tx.query(USE_ONE_OF_MANY, [...asked, capacity])).length > 0
    })
  }

  /** Lets go of those that can be used no more anyway. */
  #sweep(now: number): void {
    if (now - this.#sweptAt < REMEMBERED_MS) return
    this.#sweptAt = now
    // What it could not do, the next one will.
    this.#database.write(FORGET_OLD, [now - REMEMBERED_MS]).catch(() => undefined)
  }
}
