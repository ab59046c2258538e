import type { Clock } from '../../../../../shared/clock/clock.js'
import type { Engine } from '../engine/engine.js'

export interface SessionTimes {
  /** Milliseconds for which a client waits for the session lock. After that, the client gets 55P03. */
  waitLimitMs: number
  /** The `statement_timeout` of a new client, in milliseconds. */
  statementTimeoutMs: number
  /** Milliseconds in which Postgres must stop a cancelled statement. After that, the engine is terminated. */
  cancelGraceMs: number
  /** Milliseconds in which the engine must open. After that, the waiting clients get 57P03. */
  openingLimitMs: number
  /** Milliseconds in which the files of the database must be copied. */
  copyLimitMs: number
  /** Milliseconds without a statement after which a session with clients may vacuum. */
  idleMs: number
  /** Milliseconds without a client after which the engine is closed. The files stay. */
  hibernateAfterMs: number
}

export interface SessionOptions {
  machine: Clock
  times: SessionTimes
  /** The role of the owner. */
  user: string
  /** Opens an engine on the files of the database. @param signal ends the attempt when it is aborted */
  open(signal: AbortSignal): Promise<Engine>
  /**
   * Bytes of memory beyond which an engine is closed between two transactions. The memory of an engine never
   * shrinks, so the next batch opens a new engine.
   */
  memoryLimit: number
}
