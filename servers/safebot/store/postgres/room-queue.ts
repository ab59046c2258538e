import type { StoreDatabase } from '../../../../shared/postgres/store-database.js'
import { StoreUnavailable } from '../../../../shared/postgres/store-error.js'
import type { Transaction } from '../../../../shared/postgres/transaction.js'
import type { Foresight, RoomTransaction } from '../store.js'
import { RoomSession } from './room-session.js'

/** Works that share a transaction: past it a connection would be kept from others for long. */
const MOST_TOGETHER = 32

/** Something to be done alone in a room. */
interface Job {
  readonly foresight: Foresight
  /** Does it, and keeps how it ended until that is to be told. */
  run(tx: RoomTransaction): Promise<void>
  /** Tells how it ended. */
  settle(): void
  fail(error: unknown): void
}

/** What was kept with a transaction. */
export type OnKept = (roomId: string, session: RoomSession) => Promise<void>

/**
 * What is to be done in rooms, one after the other in each. What has come meanwhile is done together, in one transaction of the
 * database: one of them that is refused has written nothing, and how each of them ended is told once all of it is kept.
 */
export class RoomQueue {
  readonly #database: StoreDatabase
  readonly #onKept: OnKept
  readonly #busy = new Map<string, Job[]>()

  constructor(database: StoreDatabase, onKept: OnKept) {
    this.#database = database
    this.#onKept = onKept
  }

  /** @throws StoreUnavailable, and what `work` throws */
  run<T>(roomId: string, work: (tx: RoomTransaction) => Promise<T>, foresight: Foresight): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      let settle = () => {}
      const job: Job = {
        foresight,
        async run(tx) {
          try {
            const result = await work(tx)
            settle = () => resolve(result)
          } catch (error) {
            settle = () => reject(error)
          }
        },
        settle: () => settle(),
        fail: reject,
      }
      const waiting = this.#busy.get(roomId)
      if (waiting !== undefined) waiting.push(job)
      else void this.#workOff(roomId, [job])
    })
  }

  async #workOff(roomId: string, jobs: Job[]): Promise<void> {
    this.#busy.set(roomId, jobs)
    while (jobs.length > 0) await this.#carryOut(roomId, jobs.splice(0, MOST_TOGETHER))
    this.#busy.delete(roomId)
  }

  async #carryOut(roomId: string, jobs: readonly Job[]): Promise<void> {
    try {
      const session = await this.#database.transaction(tx => this.#together(tx, roomId, jobs))
      await this.#onKept(roomId, session)
    } catch (error) {
      if (jobs.length === 1 || error instanceof StoreUnavailable) {
        for (const job of jobs) job.fail(error)
        return
      }
      // One of them has done what the database does not take: the others need not suffer for it.
      for (const job of jobs) await this.#carryOut(roomId, [job])
      return
    }
    for (const job of jobs) job.settle()
  }

  async #together(tx: Transaction, roomId: string, jobs: readonly Job[]): Promise<RoomSession> {
    const foresights = jobs.map(({ foresight }) => foresight)
    const session = await RoomSession.open(tx, roomId, foresights, this.#database.replica)
    for (const job of jobs) {
      await job.run(session)
      session.requireWhole()
    }
    session.store()
    return session
  }
}
