import { isUnsure } from '../../../../shared/errors.js'
import type { StoreDatabase } from '../../../../shared/records/store-database.js'
import type { Transaction } from '../../../../shared/records/transaction.js'
import type { Holdings } from '../store.js'
import { HOLD, RELEASE, RELEASE_OTHERS, TIDY } from './hold-statements.js'

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
