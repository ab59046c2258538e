import type { StoreDatabase } from '../../../../shared/records/store-database.js'
import { StoreUnavailable } from '../../../../shared/records/store-error.js'
import type { Transaction } from '../../../../shared/records/transaction.js'
import type { Foresight, RoomTransaction } from '../store.js'
import { RoomSession } from './room-session.js'

/** Works that share a transaction: past it their rooms would be kept from others for long. */
const MOST_TOGETHER = 32

/**
 * Transactions at once. One, for what comes while it is under way shares the next: its messages, and its
 * COMMIT. One that takes longer than that, for a room of its that another replica keeps, is not waited for:
 * so many more there may be, of the pool's.
 */
const AT_ONCE = { most: 1, slow: 5, patienceMs: 20 }

/** Something to be done alone in a room. */
interface Job {
  readonly foresight: Foresight
  /** Does it, and keeps how it ended until that is to be told. */
  run(tx: RoomTransaction): Promise<void>
  /** Tells how it ended. */
  settle(): void
  fail(error: unknown): void
}

/** What is to be done in one room within a transaction. */
interface Visit {
  readonly roomId: string
  readonly jobs: readonly Job[]
}

/** What was kept with a transaction. It throws nothing. */
export type OnKept = (roomId: string, session: RoomSession) => Promise<void>

/**
 * What is to be done in rooms, one after the other in each. What has come meanwhile is done together, in
 * one transaction of the database, whichever rooms it is for: one of them that is refused has written
 * nothing, and how each of them ended is told once all of it is kept.
 */
export class RoomQueue {
  readonly #database: StoreDatabase
  readonly #onKept: OnKept
  /** By room, those first that have waited longest. */
  readonly #waiting = new Map<string, Job[]>()
  readonly #busy = new Set<string>()
  /** How many transactions are under way, and how many that have taken long. */
  #prompt = 0
  #slow = 0

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
      const waiting = this.#waiting.get(roomId)
      if (waiting === undefined) this.#waiting.set(roomId, [job])
      else waiting.push(job)
      this.#begin()
    })
  }

  #begin(): void {
    while (this.#prompt < AT_ONCE.most) {
      const visits = this.#next()
      if (visits.length === 0) return
      void this.#workOff(visits)
    }
  }

  async #workOff(visits: readonly Visit[]): Promise<void> {
    const leave = this.#enter()
    for (const { roomId } of visits) this.#busy.add(roomId)
    await this.#carryOut(visits)
    for (const { roomId } of visits) this.#busy.delete(roomId)
    leave()
    this.#begin()
  }

  /**
   * Counts a transaction until the returned function is called; one that is slow by then counts no longer
   * among the prompt.
   */
  #enter(): () => void {
    const { machine } = this.#database
    this.#prompt++
    let slow = false
    const lookLater = () => machine.wakeAt(machine.now() + AT_ONCE.patienceMs, look)
    const look = () => {
      if (this.#slow === AT_ONCE.slow) {
        wakeup = lookLater()
        return
      }
      slow = true
      this.#slow++
      this.#prompt--
      this.#begin()
    }
    let wakeup = lookLater()
    return () => {
      wakeup.cancel()
      if (slow) this.#slow--
      else this.#prompt--
    }
  }

  /**
   * What is done together next, in the order of the rooms: all replicas lock them in that, or two would
   * wait for each other.
   */
  #next(): Visit[] {
    const visits: Visit[] = []
    let free = MOST_TOGETHER
    let posting = false
    for (const [roomId, jobs] of this.#waiting) {
      if (free === 0) break
      const posts = jobs.some(({ foresight }) => foresight.posting === true)
      // What a room takes up is counted when it is kept: two that post at once would not know of each other.
      if (this.#busy.has(roomId) || (posts && posting)) continue
      posting ||= posts
      const taken = jobs.splice(0, free)
      free -= taken.length
      this.#waiting.delete(roomId)
      // What is left of it is behind all others.
      if (jobs.length > 0) this.#waiting.set(roomId, jobs)
      visits.push({ roomId, jobs: taken })
    }
    return visits.toSorted((one, other) => (one.roomId < other.roomId ? -1 : 1))
  }

  async #carryOut(visits: readonly Visit[]): Promise<void> {
    const jobs = visits.flatMap(visit => visit.jobs)
    let sessions: Map<string, RoomSession>
    try {
      sessions = await this.#database.transaction(tx => this.#together(tx, visits))
    } catch (error) {
      if (jobs.length === 1 || error instanceof StoreUnavailable) {
        for (const job of jobs) job.fail(error)
        return
      }
      // One of them has done what the database does not take: the others need not suffer for it.
      for (const { roomId, jobs } of visits) {
        for (const job of jobs) await this.#carryOut([{ roomId, jobs: [job] }])
      }
      return
    }
    // It is kept, whatever comes of what is to be done behind it.
    for (const [roomId, session] of sessions) await this.#onKept(roomId, session)
    for (const job of jobs) job.settle()
  }

  async #together(tx: Transaction, visits: readonly Visit[]): Promise<Map<string, RoomSession>> {
    const { replica } = this.#database
    const opened = visits.map(async ({ roomId, jobs }) => {
      const foresights = jobs.map(({ foresight }) => foresight)
      return { roomId, jobs, session: await RoomSession.open(tx, roomId, foresights, replica) }
    })
    const sessions = new Map<string, RoomSession>()
    for (const { roomId, jobs, session } of await Promise.all(opened)) {
      for (const job of jobs) {
        await job.run(session)
        session.requireWhole()
      }
      sessions.set(roomId, session)
    }
    for (const session of sessions.values()) session.store()
    return sessions
  }
}
