import { LimitExceeded } from '../../../../../shared/clock/within-limit.js'
import type { Complaint } from '../wire/answers.js'
import { WaitedTooLong } from './turn.js'

/** The engine was ended under its clients. */
export const RESTARTED: Complaint = {
  code: '57P02',
  message: 'terminating connection because the database was restarted',
  detail:
    'A statement could not be stopped in any other way, or the engine failed. What was committed is kept.',
  hint: 'Connect again.',
}

/** What a client is told whose database could not be opened. @param error why */
export function notOpened(error: unknown): Complaint {
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

/** Thrown to a client whose statement is stopped before it has begun. */
export class Cancelled extends Error {}

/**
 * What a client is told whose batch did not get its turn.
 *
 * @param error why
 * @param waitLimitMs how long it may wait
 */
export function waitedInVain(error: unknown, waitLimitMs: number): Complaint {
  if (!(error instanceof WaitedTooLong))
    return { code: '57014', message: 'canceling statement due to user request' }
  return {
    code: '55P03',
    message: `another connection has held a transaction open for more than ${waitLimitMs} ms`,
    detail:
      'An embedded database has one session: while a transaction is open, other connections wait for it.',
    hint: 'End the transaction first, use its own connection for this statement, or run against a real PostgreSQL server.',
  }
}
