import pg from 'pg'
import { Refusal } from '../errors.js'

/** The store cannot be reached just now. Whoever is told so may try again. */
export class StoreUnavailable extends Refusal {
  override readonly name = 'StoreUnavailable'

  /**
   * @param unsure whether what was asked for may have been done all the same: the connection broke while it
   * was being committed
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
 * Whether an error means that the server, or the way to it, is gone: connections that were refused, cut or
 * timed out (class 08), a server that stops, starts, or has no more connections to give (57P, 53300), one
 * that takes writes no more (25006), and one that has cut off who was idle in a transaction (25P03).
 */
export function isOutage(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) return OUTAGE_STATES.test(error.code ?? '')
  if (!(error instanceof Error)) return false
  if ('code' in error && typeof error.code === 'string' && SYSTEM_CODES.test(error.code)) return true
  return CONNECTION_TEXTS.test(error.message)
}

/** Whether no connection came about: nothing can have been done over it. */
export function isRefused(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) return /^(57P03|53300|28...|3D000)$/.test(error.code ?? '')
  return (
    error instanceof Error && /ECONNREFUSED|ENOTFOUND|EAI_AGAIN|when trying to connect/.test(error.message)
  )
}

/**
 * Whether a statement took too long, or waited too long for another's lock: it may be asked for again,
 * though not at once.
 */
export function tookTooLong(error: unknown): boolean {
  return error instanceof pg.DatabaseError && /^(55P03|57014)$/.test(error.code ?? '')
}

/** Whether a transaction was the one that had to give way to another: it is to be run again. */
export function lostToAnother(error: unknown): boolean {
  return error instanceof pg.DatabaseError && /^(40001|40P01)$/.test(error.code ?? '')
}

const OUTAGE_STATES = /^(08...|57P0.|53300|25006|25P03)$/

const SYSTEM_CODES =
  /^(ECONN(REFUSED|RESET|ABORTED)|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ENOENT)$/

/** pg says these in words alone. */
const CONNECTION_TEXTS =
  /Connection terminated|connection error|timeout (expired|exceeded)|Query read timeout|Client was closed|Cannot use a pool after/i
