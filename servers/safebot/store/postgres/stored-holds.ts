import { isUnsure } from '../../../../shared/errors.js'
import { statement } from '../../../../shared/records/statement.js'
import type { StoreDatabase } from '../../../../shared/records/store-database.js'
import type { Transaction } from '../../../../shared/records/transaction.js'
import type { Holdings } from '../store.js'

/** Replica $2 holds room $1 since $3. */
const HOLD = statement(`
  INSERT INTO holds (room_id, replica, since) VALUES ($1, $2, $3)
  ON CONFLICT (room_id, replica) DO UPDATE SET since = excluded.since`)

/** Replica $2 left room $1 at $3. When a room was left that is none makes no difference to anybody. */
const RELEASE = statement(`
  WITH none AS (
    DELETE FROM holds WHERE room_id = $1 AND replica = $2 AND NOT EXISTS (SELECT FROM rooms WHERE id = $1)
  )
  UPDATE holds SET since = NULL, released = $3
  WHERE room_id = $1 AND replica = $2 AND EXISTS (SELECT FROM rooms WHERE id = $1)`)

/** Replica $1 holds none but $2, and has left the others at $3. */
const RELEASE_OTHERS = statement(`
  UPDATE holds SET since = NULL, released = $3
  WHERE replica = $1 AND since IS NOT NULL AND room_id <> ALL ($2)`)

/** Those who hold room $1 and are no more have left it: at $2, when that is found. */
export const RELEASE_DEAD = statement(`
  UPDATE holds SET since = NULL, released = $2
  WHERE room_id = $1 AND since IS NOT NULL AND replica NOT IN (SELECT number FROM live_replicas)`)

export const UNHELD = statement(
  'SELECT max(released) AS "from", min(since) AS "until" FROM holds WHERE room_id = $1',
)

/** The room is no more: who left it when is forgotten. */
export const FORGET_RELEASED = statement('DELETE FROM holds WHERE room_id = $1 AND since IS NULL')

export const FORGET_RELEASES = statement('UPDATE holds SET released = NULL WHERE room_id = $1')

/** What replicas have left behind that are no more, in rooms that are no more. */
const TIDY = statement(`
  DELETE FROM holds
  WHERE replica NOT IN (SELECT number FROM live_replicas) AND NOT EXISTS (SELECT FROM rooms WHERE id = room_id)`)

/** The rooms that this replica holds, for the others to know. */
export class StoredHolds {
  readonly #database: StoreDatabase

  constructor(database: StoreDatabase) {
    this.#database = database
  }

  hold(roomId: string, since: number): Promise<void> {
    const { replica } = this.#database
    return this.#tell(tx => tx.send(HOLD, [roomId, replica, since]))
  }

  release(roomId: string, at: number): Promise<void> {
    const { replica } = this.#database
    return this.#tell(tx => tx.send(RELEASE, [roomId, replica, at]))
  }

  holdOnly(held: Holdings['held'], now: number): Promise<void> {
    const { replica } = this.#database
    return this.#database.transaction(async tx => {
      tx.send(RELEASE_OTHERS, [replica, held.map(([roomId]) => roomId), now])
      for (const [roomId, since] of held) tx.send(HOLD, [roomId, replica, since])
    })
  }

  /** Of one that may have been kept it is the same to be told again. */
  async #tell(tell: (tx: Transaction) => void): Promise<void> {
    const telling = () => this.#database.transaction(async tx => tell(tx))
    await telling().catch(error => {
      if (isUnsure(error)) return telling()
      throw error
    })
  }

  async tidy(): Promise<void> {
    await this.#database.write(TIDY)
  }
}
