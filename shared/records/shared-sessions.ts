import { Refusal } from '../errors.js'
import type { Log } from '../util/log.js'
import { idOf } from './partition.js'
import type { Records, Transaction } from './records.js'

/** A replica's own sessions, as far as the others have a say in them. */
export interface SessionsHere {
  /** The ids of those that others know of. */
  known(): string[]
  /** One of them was ended elsewhere. */
  ended(id: string): void
}

/** The sessions that all replicas of an endpoint accept, whichever has opened them. */
export interface SharedSessions {
  /** Has the others accept a session. @returns whether they do; it never rejects */
  opened(id: string, version: string | undefined): Promise<boolean>
  /**
   * A session that was opened elsewhere, and has not gone unused for too long.
   *
   * @throws Refusal `store_unavailable`
   */
  find(id: string): Promise<{ version: string | undefined } | undefined>
  /** Notes that it is in use. It is not waited for, and never fails. */
  used(id: string): void
  /** Has no replica accept it any more. It never rejects: a session that cannot be ended now expires by itself. */
  ended(id: string): Promise<void>
  /** Tells of those that end elsewhere, until the returned function is called. */
  listen(here: SessionsHere): () => void
}

/** @param idleMs how long a session may go unused */
export type ShareSessions = (endpoint: string, idleMs: number) => SharedSessions

/** A session has an id like this. Any other text that a caller sends names none. */
const SESSION_ID = /^[!-~]{1,200}$/

interface SessionRecord {
  /** The protocol revision that was agreed on; null: none was. */
  readonly version: string | null
}

export interface StoredSessionsOptions {
  records: Records
  log: Log
  /** Of which server they are. */
  endpoint: string
  /** How long one may go unused, in milliseconds. */
  idleMs: number
}

/** The sessions of an endpoint: each is a partition. Its activity is by the time of the store's machine. */
export class StoredSessions implements SharedSessions {
  readonly #options: StoredSessionsOptions
  readonly #kind: string

  constructor(options: StoredSessionsOptions) {
    this.#options = options
    this.#kind = `store/session-${options.endpoint}`
  }

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

  used(id: string): void {
    void this.#tried('could not be noted as used', () =>
      this.#in(id, tx => {
        if (sessionOf(tx).has('session')) touch(tx)
      }),
    )
  }

  async ended(id: string): Promise<void> {
    await this.#tried('could not be ended on the other replicas', () =>
      this.#in(id, tx => {
        sessionOf(tx).clear()
        tx.announce()
      }),
    )
  }

  listen(here: SessionsHere): () => void {
    const { records } = this.#options
    records.onGap(() => void this.#tried('could not be looked at', () => this.#lookAt(here)))
    return records.watchKind(this.#kind, id => here.ended(id))
  }

  /** Ends the sessions that were ended while nothing could be heard. */
  async #lookAt(here: SessionsHere): Promise<void> {
    const known = here.known()
    const open = new Set((await this.#options.records.partitions(this.#kind)).map(idOf))
    for (const id of known) if (!open.has(id)) here.ended(id)
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
