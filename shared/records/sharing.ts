import type { Clock } from '../clock/clock.js'
import type { ClockMode } from '../clock/spec.js'
import type { Journal } from '../journal/journal.js'
import type { Log } from '../util/log.js'
import type { Records } from './records.js'
import { SharedClock } from './shared-clock.js'
import { SharedJournal } from './shared-journal.js'
import { SharedSessions } from './shared-sessions.js'
import type { StoreDatabase } from './store-database.js'

export interface SharingOptions {
  store: StoreDatabase
  records: Records
  /** The name of the instance, which logs and `GET /replicas` show. */
  name: string
  clock: Clock
  /** Undefined: the journal is off. */
  journal: Journal | undefined
  machine: Clock
  log: Log
  /** The clock mode that the user has requested for this replica. Undefined: the mode of the store. */
  asked: ClockMode | undefined
}

/** The clock, journal and sessions that an instance shares with the other replicas of its store. */
export interface Sharing {
  /**
   * Creates the MCP sessions of a server, which every replica accepts.
   *
   * @param idleMs milliseconds after which an unused session expires
   */
  sessions(endpoint: string, idleMs: number): SharedSessions
  /** Writes the queued journal entries, if the store is reachable. */
  flush(): Promise<void>
  /** Leaves the shared clock and journal. Call it before the clock and the store are closed. */
  close(): Promise<void>
}

/**
 * Connects an instance to the other replicas of its store.
 *
 * @throws Refusal `other_clock`, `store_unavailable`
 */
export async function share(options: SharingOptions): Promise<Sharing> {
  await options.store.introduce(options.name)
  const { journal: kept } = options
  const journal = kept && (await SharedJournal.join({ ...options, journal: kept }))
  try {
    // The clock is joined last, because the other replicas wait for this one from then on.
    const clock = await SharedClock.join(options)
    return {
      flush: async () => journal?.flush(),
      sessions: (endpoint, idleMs) => new SharedSessions({ ...options, endpoint, idleMs }),
      async close() {
        await clock.close()
        await journal?.close()
      },
    }
  } catch (error) {
    await journal?.close()
    throw error
  }
}
