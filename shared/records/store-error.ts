import pg from 'pg'
import { Refusal } from '../errors.js'

/** The store cannot be reached. The caller may try again. */
export class StoreUnavailable extends Refusal {
  override readonly name = 'StoreUnavailable'

  /**
   * @param unsure whether the change may have been committed, because the connection broke during the commit
   */
  constructor(
    shown: string,
    readonly unsure: boolean,
    cause?: unknown,
  ) {
    super(
      'store_unavailable',
      unsure
        ? `the store at ${shown} broke off before it said whether this was kept`
        : `the store at ${shown} cannot be reached just now, and nothing was changed`,
      unsure ? 'look at what there is, and call again if it is missing' : 'call again in a moment',
    )
    this.cause = cause
  }
}

/**
 * Returns whether an error means that the server or the connection is unavailable. The SQL states are:
 *
 * - 08: the connection was refused, cut or timed out
 * - 57P, 53300: the server stops, starts, or has no free connection
 * - 25006: the server accepts no writes
 * - 25P03: the server cut a connection that was idle in a transaction
 */
export function isOutage(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) return OUTAGE_STATES.test(error.code ?? '')
  if (!(error instanceof Error)) return false
  if ('code' in error && typeof error.code === 'string' && SYSTEM_CODES.test(error.code)) return true
  return CONNECTION_TEXTS.test(error.message)
}

/**
 * Returns whether a statement took too long, or waited too long for a lock. The caller may repeat the
 * statement later.
 */
export function tookTooLong(error: unknown): boolean {
  return error instanceof pg.DatabaseError && /^(55P03|57014)$/.test(error.code ?? '')
}

/** Returns whether PostgreSQL aborted a transaction in favour of another one, so that it has to run again. */
export function lostToAnother(error: unknown): boolean {
  return error instanceof pg.DatabaseError && /^(40001|40P01)$/.test(error.code ?? '')
}

const OUTAGE_STATES = /^(08...|57P0.|53300|25006|25P03)$/

const SYSTEM_CODES =
  /^(ECONN(REFUSED|RESET|ABORTED)|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ENOENT)$/

/** Messages of errors of pg that have no code. */
const CONNECTION_TEXTS =
  /Connection terminated|connection error|timeout (expired|exceeded)|Query read timeout|Client was closed|Cannot use a pool after/i
