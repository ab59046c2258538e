import type { Clock } from '../../../../../shared/clock/clock.js'
import type { Engine } from '../engine/engine.js'

export interface SessionTimes {
  /** How long a client waits for another's transaction before it gets 55P03, in milliseconds. */
  waitLimitMs: number
  /** What a client starts with as `statement_timeout`. */
  statementTimeoutMs: number
  /** How long Postgres has to notice a cancel before its engine is ended. */
  cancelGraceMs: number
  /** How long opening the engine may take before its clients get 57P03. */
  openingLimitMs: number
  /** How long copying the database's files may take. */
  copyLimitMs: number
  /** Vacuuming waits until nothing has run for so long. */
  idleMs: number
  /** Without a client for so long, the engine ends; its directory stays. */
  hibernateAfterMs: number
}

export interface SessionOptions {
  machine: Clock
  times: SessionTimes
  user: string
  /** Aborting the signal ends the attempt. */
  open(signal: AbortSignal): Promise<Engine>
  /** An engine whose memory has grown past this is replaced between two transactions: it never shrinks. Bytes. */
  memoryLimit: number
}
