import { Refusal } from '../errors.js'
import type { Log } from '../util/log.js'
import { idOf } from './partition.js'
import type { Records } from './records.js'
import type { Transaction } from './transaction.js'

/** The sessions in the memory of this replica. */
export interface SessionsHere {
  /** The ids of the sessions that other replicas accept. */
  known(): string[]
  /** Another replica has ended a session. */
  ended(id: string): void
}

/** @param idleMs how long a session may go unused */
export type ShareSessions = (endpoint: string, idleMs: number) => SharedSessions

/** The form of a session's id. Any other text that a caller sends names no session. */
const SESSION_ID = /^[!-~]{1,200}$/

interface SessionRecord {
  /** The protocol revision that was agreed on. Null: none was. */
  readonly version: string | null
}

export interface SharedSessionsOptions {
  records: Records
  log: Log
  /** The name of the server. */
  endpoint: string
  /** How long a session may go unused, in milliseconds. */
  idleMs: number
}

/**
 * The sessions of a server that all its replicas accept, whichever has opened them. Each is a partition. Its activity is by
 * the time of the store's machine.
 */
export class SharedSessions {
  readonly #options: SharedSessionsOptions
  readonly #kind: string

  constructor(options: SharedSessionsOptions) {
    this.#options = options
    this.#kind = `store/session-${options.endpoint}`
  }

  /** Shares a session with all replicas. @returns whether they accept it; never rejects */
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
   * A session that any replica has opened, and that has not gone unused for too long.
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

  /** Notes that a session is in use. Returns without waiting, and never fails. */
  used(id: string): void {
    void this.#tried('could not be noted as used', () =>
      this.#in(id, tx => {
        if (sessionOf(tx).has('session')) touch(tx)
      }),
    )
  }

  /** Has no replica accept a session any more. It never rejects: a session that cannot be ended now expires by itself. */
  async ended(id: string): Promise<void> {
    await this.#tried('could not be ended on the other replicas', () =>
      this.#in(id, tx => {
        sessionOf(tx).clear()
        tx.announce()
      }),
    )
  }

  /** Notifies of sessions that end on other replicas, until the returned function is called. */
  listen(here: SessionsHere): () => void {
    const { records } = this.#options
    records.onGap(() => void this.#tried('could not be looked at', () => this.#lookAt(here)))
    return records.watchKind(this.#kind, id => here.ended(id))
  }

  /** Ends the sessions that another replica has ended while notifications were lost. */
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
