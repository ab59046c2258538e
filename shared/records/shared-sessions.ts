import { Refusal } from '../errors.js'
import type { Log } from '../util/log.js'
import { idOf } from './partition.js'
import type { Records } from './records.js'
import type { Transaction } from './transaction.js'

/** The sessions in the memory of this replica. */
export interface SessionsHere {
  /** Returns the ids of the sessions that other replicas accept, too. */
  known(): string[]
  /** Called when another replica has ended a session. */
  ended(id: string): void
}

/** The allowed form of a session id. An id of another form is not looked up. */
const SESSION_ID = /^[!-~]{1,200}$/

interface SessionRecord {
  /** The protocol revision of the session. Null: client and server have not agreed on one. */
  readonly version: string | null
}

export interface SharedSessionsOptions {
  records: Records
  log: Log
  /** The name of the server. */
  endpoint: string
  /** Number of milliseconds after which an unused session expires. */
  idleMs: number
}

/**
 * Sessions of a server that all its replicas accept, independent of the replica that opened them. Each
 * session is a partition. The time of the store's machine decides when a session expires.
 */
export class SharedSessions {
  readonly #options: SharedSessionsOptions
  readonly #kind: string

  constructor(options: SharedSessionsOptions) {
    this.#options = options
    this.#kind = `store/session-${options.endpoint}`
  }

  /**
   * Shares a session with all replicas, and removes expired sessions.
   *
   * @returns whether the session is shared. Never rejects
   */
  opened(id: string, version: string | undefined): Promise<boolean> {
    const { records, idleMs } = this.#options
    return this.#tried('could not be told to the other replicas', async () => {
      const now = await this.#in(id, tx => {
        sessionOf(tx).set('session', { version: version ?? null })
        touch(tx)
        return tx.storeTime
      })
      for (const name of await records.partitions(this.#kind, now - idleMs)) {
        await records.transaction(name, tx => sessionOf(tx).clear())
      }
    })
  }

  /**
   * Returns a session that any replica has opened and that has not expired. Marks the session as used.
   *
   * @throws Refusal `store_unavailable`
   */
  async find(id: string): Promise<{ version: string | undefined } | undefined> {
    if (!SESSION_ID.test(id)) return undefined
    return this.#in(id, tx => {
      const session = sessionOf(tx).get('session')
      if (session === undefined || tx.storeTime - tx.summary.activeAt >= this.#options.idleMs)
        return undefined
      touch(tx)
      return { version: session.version ?? undefined }
    })
  }

  /** Marks a session as used. Does not wait for the store. A failure is only logged. */
  used(id: string): void {
    void this.#tried('could not be noted as used', () =>
      this.#in(id, tx => {
        if (sessionOf(tx).has('session')) touch(tx)
      }),
    )
  }

  /**
   * Ends a session on all replicas. Never rejects. If the store is unreachable, the session expires later.
   */
  async ended(id: string): Promise<void> {
    await this.#tried('could not be ended on the other replicas', () =>
      this.#in(id, tx => {
        sessionOf(tx).clear()
        tx.announce()
      }),
    )
  }

  /** Notifies `here` when other replicas end sessions. Returns a function that stops the notifications. */
  listen(here: SessionsHere): () => void {
    const { records } = this.#options
    const endUnknown = async () => {
      const known = here.known()
      const open = new Set((await records.partitions(this.#kind)).map(idOf))
      for (const id of known) if (!open.has(id)) here.ended(id)
    }
    // Other replicas may have ended sessions while notifications were lost.
    records.onGap(() => void this.#tried('could not be looked at', endUnknown))
    return records.watchKind(this.#kind, id => here.ended(id))
  }

  #in<T>(id: string, work: (tx: Transaction) => T): Promise<T> {
    return this.#options.records.transaction(`${this.#kind}/${id}`, work)
  }

  async #tried(what: string, attempt: () => Promise<unknown>): Promise<boolean> {
    try {
      await attempt()
      return true
    } catch (error) {
      this.#options.log.warn(`a session ${what}`, error instanceof Refusal ? error.message : error)
      return false
    }
  }
}

function sessionOf(tx: Transaction) {
  return tx.table<SessionRecord>('session')
}

function touch(tx: Transaction): void {
  tx.summary = { ...tx.summary, open: true, activeAt: tx.storeTime }
}
