import type { Clock } from '../clock/clock.js'
import type { ClockMode } from '../clock/spec.js'
import type { Journal } from '../journal/journal.js'
import type { Log } from '../util/log.js'
import { SharedClock } from './shared-clock.js'
import { SharedJournal } from './shared-journal.js'
import type { SessionsHere, SharedSessions, ShareSessions } from './shared-sessions.js'
import { statement } from './statement.js'
import type { StoreDatabase } from './store-database.js'

const TOPIC = 'session-ended'

/** One that a lost answer has had asked for twice is the same. */
const OPEN = statement(
  'INSERT INTO sessions (endpoint, id, version) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING',
)

const FIND = statement(`
  UPDATE sessions SET used_at = now()
  WHERE endpoint = $1 AND id = $2 AND used_at > now() - $3 * interval '1 millisecond'
  RETURNING version`)

const USED = statement('UPDATE sessions SET used_at = now() WHERE endpoint = $1 AND id = $2')

const END = statement('DELETE FROM sessions WHERE endpoint = $1 AND id = $2')

const SWEEP = statement(
  "DELETE FROM sessions WHERE endpoint = $1 AND used_at <= now() - $2 * interval '1 millisecond'",
)

const STILL = statement('SELECT id FROM sessions WHERE endpoint = $1 AND id = ANY($2::text[])')

interface StoredSessionsOptions {
  store: StoreDatabase
  log: Log
  /** Of which server they are. */
  endpoint: string
  /** How long one may go unused, in milliseconds. */
  idleMs: number
}

/** The sessions of an endpoint, as the store has them. */
export class StoredSessions implements SharedSessions {
  readonly #options: StoredSessionsOptions

  constructor(options: StoredSessionsOptions) {
    this.#options = options
  }

  async opened(id: string, version: string | undefined): Promise<boolean> {
    const { store, endpoint, idleMs } = this.#options
    return this.#tried('could not be told to the other replicas', async () => {
      await store.transaction(async tx => {
        tx.send(SWEEP, [endpoint, idleMs])
        tx.send(OPEN, [endpoint, id, version ?? null])
      })
    })
  }

  async find(id: string): Promise<{ version: string | undefined } | undefined> {
    const { store, endpoint, idleMs } = this.#options
    const [row] = await store.write<{ version: string | null }>(FIND, [endpoint, id, idleMs])
    return row && { version: row.version ?? undefined }
  }

  used(id: string): void {
    const { store, endpoint } = this.#options
    void this.#tried('could not be noted as used', () => store.write(USED, [endpoint, id]))
  }

  async ended(id: string): Promise<void> {
    const { store, endpoint } = this.#options
    await this.#tried('could not be ended on the other replicas', () =>
      store.transaction(async tx => {
        tx.send(END, [endpoint, id])
        tx.notify(TOPIC, `${endpoint} ${id}`)
      }),
    )
  }

  listen(here: SessionsHere): () => void {
    const { store, endpoint } = this.#options
    const leave = [
      store.notices.on(TOPIC, (payload, own) => {
        const [of, id = ''] = payload.split(' ')
        if (!own && of === endpoint) here.ended(id)
      }),
      store.notices.onGap(() => void this.#tried('could not be looked at', () => this.#lookAt(here))),
    ]
    return () => {
      for (const each of leave) each()
    }
  }

  /** What was ended while nothing could be heard. */
  async #lookAt(here: SessionsHere): Promise<void> {
    const { store, endpoint } = this.#options
    const known = here.known()
    const rows = await store.read<{ id: string }>(STILL, [endpoint, known])
    const still = new Set(rows.map(({ id }) => id))
    for (const id of known) if (!still.has(id)) here.ended(id)
  }

  async #tried(what: string, attempt: () => Promise<unknown>): Promise<boolean> {
    try {
      await attempt()
      return true
    } catch (error) {
      this.#options.log.warn(`a session ${what}`, error)
      return false
    }
  }
}

export interface SharingOptions {
  store: StoreDatabase
  /** Of the instance, by which people know the replica. */
  name: string
  clock: Clock
  /** Undefined: it is off. */
  journal: Journal | undefined
  machine: Clock
  log: Log
  /** Which clock this replica was to have; undefined: whichever the store has. */
  asked: ClockMode | undefined
}

/** What an instance has in common with the other replicas of its store, beside what its servers keep. */
export interface Sharing {
  /** The MCP sessions that every replica accepts. */
  readonly sessions: ShareSessions
  /** Writes what has not been written yet of what reached this replica, if the store is there. */
  flush(): Promise<void>
  /** To be called before the clock and the store are closed. */
  close(): Promise<void>
}

/** @throws Refusal `other_clock`, `store_unavailable` */
export async function share(options: SharingOptions): Promise<Sharing> {
  await options.store.introduce(options.name)
  const { journal: kept } = options
  const journal = kept && (await SharedJournal.join({ ...options, journal: kept }))
  try {
    // The last to be joined: from then on the other replicas wait for this one.
    const clock = await SharedClock.join(options)
    return {
      flush: async () => journal?.flush(),
      sessions: (endpoint, idleMs) => new StoredSessions({ ...options, endpoint, idleMs }),
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
