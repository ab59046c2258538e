import type { Clock, Wakeup } from '../../../../../shared/clock/clock.js'
import { LimitExceeded } from '../../../../../shared/clock/within-limit.js'
import type { Engine } from '../engine/engine.js'
import type { PgError } from '../wire/answers.js'
import { frame } from '../wire/frames.js'
import { LockTimeout } from './engine-lifecycle.js'

/** The error for connected clients when the engine has ended. */
export const RESTARTED: PgError = {
  code: '57P02',
  message: 'terminating connection because the database was restarted',
  detail:
    'The engine failed, or it was ended because a statement could not be stopped. Committed data is kept.',
  hint: 'Connect again.',
}

/**
 * The error for a client whose connection was ended by the service, or by another connection with
 * `pg_terminate_backend`.
 */
export const TERMINATED: PgError = {
  code: '57P01',
  message: 'terminating connection due to administrator command',
}

/**
 * Stops a running batch when its client cancels it, or when its `statement_timeout`
 * has passed. First asks Postgres to stop. If Postgres has not stopped after the
 * grace period, terminates the engine, because nothing else can stop the statement.
 */
export class Interruption {
  /** The error message for the client. Undefined keeps PostgreSQL's message ("due to user request"). */
  reason: string | undefined
  #timer: Wakeup | undefined
  #feed: ((bytes: Buffer) => void) | undefined
  #cancelRequested = false
  #ended = false

  /**
   * @param timeoutMs the client's `statement_timeout` in milliseconds, 0 for none
   * @param graceMs milliseconds in which Postgres must stop the batch after a request
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

  /** Records that a COPY waits for data of the client. @param feed passes data to the engine */
  onCopyIn(feed: (bytes: Buffer) => void): void {
    this.#feed = feed
    if (this.#cancelRequested) this.#failCopy()
  }

  /** Passes data to the COPY that waits. @returns false if no COPY waits, because the batch was stopped */
  feed(bytes: Buffer): boolean {
    const feed = this.#feed
    this.#feed = undefined
    feed?.(bytes)
    return feed !== undefined
  }

  /** Stops the batch. @param reason the error message for the client. Default: PostgreSQL's own message */
  stop(reason?: string): void {
    if (this.#ended) return
    this.#timer?.cancel()
    this.reason = reason
    this.requestCancel()
    this.#timer = this.machine.wakeAt(this.machine.now() + this.graceMs, () => this.engine.abort())
  }

  /**
   * Asks Postgres to stop the batch, and never terminates the engine. For a client that has disconnected,
   * because other clients use the engine.
   */
  requestCancel(): void {
    this.#cancelRequested = true
    this.engine.cancel()
    this.#failCopy()
  }

  #failCopy(): void {
    this.feed(frame('f', this.reason ?? 'canceling statement due to user request'))
  }

  /** Records that the batch has ended, and stops the timers. */
  end(): void {
    this.#ended = true
    this.#timer?.cancel()
  }
}

/** Returns the error for a client whose database cannot be opened. @param error the cause */
export function notOpened(error: unknown): PgError {
  return error instanceof LimitExceeded
    ? {
        code: '57P03',
        message: `the database did not open within ${error.ms / 1000} s`,
        hint:
          'Connect again. If the machine is busy, use fewer databases at once, ' +
          'or start with --databases and a PostgreSQL server.',
      }
    : {
        code: '57P03',
        message: 'the database could not be opened',
        hint: 'Connect again. If the error stays, delete the database and create another.',
      }
}

/** The error for a client whose batch is cancelled before it starts. */
export const CANCELLED: PgError = { code: '57014', message: 'canceling statement due to user request' }

/** The reason of a wait for the lock that ends because the batch was cancelled. */
export class Cancelled extends Error {}

/**
 * The reason why the session lock is not free: an open transaction of a client, a statement of a client, or
 * copying and cleaning the database.
 */
export type BusyReason = 'transaction' | 'statement' | 'upkeep'

const BUSY_ERRORS = {
  transaction: {
    message: 'another connection has held a transaction open for more than',
    detail:
      'An embedded database has one session: while a transaction is open, other connections wait for it.',
    // Flyway keeps a lock in a transaction on one connection, and migrates on another connection.
    hint:
      'End the transaction first, run this statement on the connection of the transaction, ' +
      'or start with --databases and a PostgreSQL server. For Flyway, set ' +
      'flyway.postgresql.transactional.lock=false.',
  },
  statement: {
    message: 'the statements of other connections have kept the database busy for more than',
    detail: 'An embedded database has one session: while a statement runs, other connections wait for it.',
    hint:
      'Try again when the statement has ended, cancel it with pg_cancel_backend, ' +
      'or start with --databases and a PostgreSQL server.',
  },
  upkeep: {
    message: 'copying or cleaning the database has taken more than',
    detail:
      'An embedded database has one session. No statement can run while the database is copied or cleaned.',
    hint: 'Try again.',
  },
}

/**
 * Returns the error for a client whose batch did not get the session lock.
 *
 * @param error the cause: a {@link LockTimeout}, or {@link Cancelled}
 * @param waitLimitMs milliseconds for which the client has waited
 * @param busyReason the reason why the lock was not free
 */
export function lockNotAcquired(error: unknown, waitLimitMs: number, busyReason: BusyReason): PgError {
  if (!(error instanceof LockTimeout)) return CANCELLED
  const { message, detail, hint } = BUSY_ERRORS[busyReason]
  return { code: '55P03', message: `${message} ${waitLimitMs} ms`, detail, hint }
}
