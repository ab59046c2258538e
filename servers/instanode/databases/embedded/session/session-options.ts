import type { Clock } from '../../../../../shared/clock/clock.js'
import type { Engine } from '../engine/engine.js'

export interface SessionTimes {
  /** Milliseconds that a client waits for another client's transaction before it gets 55P03. */
  waitLimitMs: number
  /** The client's `statement_timeout` at its start, in milliseconds. */
  statementTimeoutMs: number
  /** Milliseconds that Postgres has to notice a cancel before its engine is ended. */
  cancelGraceMs: number
  /** Milliseconds that opening the engine may take before its clients get 57P03. */
  openingLimitMs: number
  /** Milliseconds that copying the database's files may take. */
  copyLimitMs: number
  /** Milliseconds without any statement before a vacuum. */
  idleMs: number
  /** Milliseconds without a client after which the engine ends. Its directory stays. */
  hibernateAfterMs: number
}

export interface SessionOptions {
  machine: Clock
  times: SessionTimes
  user: string
  /** Aborting the signal ends the attempt. */
  open(signal: AbortSignal): Promise<Engine>
  /**
   * Bytes. An engine whose memory exceeds this is replaced between two transactions, because its memory never
   * shrinks.
   */
  memoryLimit: number
}
