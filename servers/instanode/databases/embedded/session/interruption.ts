import type { Clock, Wakeup } from '../../../../../shared/clock/clock.js'
import { LimitExceeded } from '../../../../../shared/clock/within-limit.js'
import type { Engine } from '../engine/engine.js'
import type { PgError } from '../wire/answers.js'
import { frame } from '../wire/frames.js'
import { LockTimeout } from './engine-lifecycle.js'

/** The error when the engine was ended while clients were connected. */
export const RESTARTED: PgError = {
  code: '57P02',
  message: 'terminating connection because the database was restarted',
  detail: 'A statement could not be stopped in any other way, or the engine failed. Committed data is kept.',
  hint: 'Connect again.',
}

/** The error when an administrator, or another connection of the same owner, has ended the connection. */
export const TERMINATED: PgError = {
  code: '57P01',
  message: 'terminating connection due to administrator command',
}

/**
 * Stops a running batch: on its client's request, or when its time is up. It first asks Postgres. If Postgres
 * does not notice, it ends the engine, because nothing else can stop the statement.
 */
export class Interruption {
  /** The words that replace "due to user request" in the error, if it was something else. */
  reason: string | undefined
  #timer: Wakeup | undefined
  #feed: ((bytes: Buffer) => void) | undefined
  #cancelRequested = false
  #ended = false

  /**
   * @param timeoutMs the client's `statement_timeout` in milliseconds, 0 for none
   * @param graceMs milliseconds that Postgres has to notice
   */
  constructor(
    readonly machine: Clock,
    readonly engine: Engine,
    timeoutMs: number,
    readonly graceMs: number,
  ) {
    if (timeoutMs > 0)
      this.#timer = machine.wakeAt(machine.now() + timeoutMs, () =>
        this.stop('canceling statement due to statement timeout'),
      )
  }

  /** Records that the batch waits for its client's data. @param feed passes the data to the engine */
  onCopyIn(feed: (bytes: Buffer) => void): void {
    this.#feed = feed
    if (this.#cancelRequested) this.#failCopy()
  }

  /** Passes data on. @returns false if the batch was stopped and no longer waits for data */
  feed(bytes: Buffer): boolean {
    const feed = this.#feed
    this.#feed = undefined
    feed?.(bytes)
    return feed !== undefined
  }

  /** @param reason the words for the client's error */
  stop(reason?: string): void {
    if (this.#ended) return
    this.#timer?.cancel()
    this.reason = reason
    this.requestCancel()
    this.#timer = this.machine.wakeAt(this.machine.now() + this.graceMs, () => this.engine.abort())
  }

  /**
   * Asks Postgres to stop, and never ends the engine. For a client that has left an engine that others share.
   */
  requestCancel(): void {
    this.#cancelRequested = true
    this.engine.cancel()
    this.#failCopy()
  }

  #failCopy(): void {
    this.feed(frame('f', this.reason ?? 'canceling statement due to user request'))
  }

  /** The batch has ended. */
  end(): void {
    this.#ended = true
    this.#timer?.cancel()
  }
}

/** Returns the error for a client whose database could not be opened. @param error the cause */
export function notOpened(error: unknown): PgError {
  return error instanceof LimitExceeded
    ? {
        code: '57P03',
        message: `the database did not open within ${error.ms / 1000} s`,
        hint: 'Connect again. If this machine is busy, run fewer databases at once or use a real PostgreSQL server.',
      }
    : {
        code: '57P03',
        message: 'the database could not be opened',
        hint: 'Connect again. If this happens each time, drop the database and create another.',
      }
}

/** The error for a statement that is stopped before it has begun. */
export const CANCELLED: PgError = { code: '57014', message: 'canceling statement due to user request' }

/** Thrown to a client whose statement is stopped before it has begun. */
export class Cancelled extends Error {}

/**
 * The reason why the session is busy: a client's transaction, a client's single statement, or work on the
 * files.
 */
export type BusyReason = 'transaction' | 'statement' | 'upkeep'

const BUSY_ERRORS = {
  transaction: {
    message: 'another connection has held a transaction open for more than',
    detail:
      'An embedded database has one session: while a transaction is open, other connections wait for it.',
    // Flyway locks on one connection, in a transaction, and migrates on another.
    hint: 'End the transaction first, use its own connection for this statement, or run against a real PostgreSQL server. For Flyway, set flyway.postgresql.transactional.lock=false.',
  },
  statement: {
    message: 'the statements of other connections have kept the database busy for more than',
    detail: 'An embedded database has one session: while a statement runs, other connections wait for it.',
    hint: 'Try again when the statement has ended, cancel it with pg_cancel_backend, or run against a real PostgreSQL server.',
  },
  upkeep: {
    message: 'the database has been copied or cleaned up for more than',
    detail: 'An embedded database has one session, which is not free meanwhile.',
    hint: 'Try again.',
  },
}

/**
 * Returns the error for a client whose batch did not get the session lock.
 *
 * @param error the cause
 * @param waitLimitMs milliseconds that a client may wait
 * @param busyReason the work that kept the session busy
 */
export function lockNotAcquired(error: unknown, waitLimitMs: number, busyReason: BusyReason): PgError {
  if (!(error instanceof LockTimeout)) return CANCELLED
  const { message, detail, hint } = BUSY_ERRORS[busyReason]
  return { code: '55P03', message: `${message} ${waitLimitMs} ms`, detail, hint }
}
