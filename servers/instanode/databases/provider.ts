import { createHash, createHmac, pbkdf2, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { Refusal } from '../../../shared/errors.js'

/** PostgreSQL's default number of iterations (`scram_iterations`). */
const ITERATIONS = 4096

const NAME = /^db_[0-9a-f]{12}$/

const USER = /^usr_[0-9a-f]{12}$/

const PASSWORD = /^[\x21-\x7e]{1,256}$/

/** The limits of one database. */
export interface DatabaseLimits {
  /**
   * Bytes of data beyond the size of an empty database. Writes beyond the limit fail with SQLSTATE 53100.
   * Null: no limit.
   */
  storageBytes: number | null
  /** Number of sessions that may be open at once. One more is refused with SQLSTATE 53300. */
  connections: number
}

/**
 * A database to create. {@link checkSpec} checks the names and the password before they become part of SQL or
 * of a path.
 */
export interface DatabaseSpec {
  /** `db_` and 12 hexadecimal digits */
  name: string
  /** The owner, and the only role that may log in: `usr_` and 12 hexadecimal digits. */
  user: string
  /** 1 to 256 printable ASCII characters. SCRAM uses such a password without normalization. */
  password: string
  limits: DatabaseLimits
}

/**
 * The state of a database: `awake` while its engine runs, `asleep` while only its files exist. The next
 * connection wakes it.
 */
export type DatabaseState = 'awake' | 'asleep'

export interface DatabaseStats {
  /** Size of the whole database in bytes, as `pg_database_size` counts. */
  sizeBytes: number
  /** Bytes that count against `storageBytes`: the size minus the size of the empty database. */
  usedBytes: number
  connections: number
  state: DatabaseState
}

/** The copies of some databases, made by one call of `copy`. */
export interface DatabaseCopies {
  readonly id: string
  /** Names of the copied databases. */
  readonly names: readonly string[]
}

/** The kind of a provider and its notes, as the control plane shows them. */
export interface ProviderInfo {
  kind: 'embedded' | 'server'
  /** Sentences for the operator, for example that an extension is missing. */
  notes: readonly string[]
}

/**
 * Creates, limits, copies and drops databases.
 *
 * `setLimits`, `block` and `stats` reject with a Refusal `unknown_database` if the database does not exist.
 */
export interface DatabaseProvider {
  readonly info: ProviderInfo
  /**
   * Creates a database and its owner.
   *
   * @param signal ends the call early when it is aborted. Nothing is created then.
   * @returns the connection URL. Clients can connect at once.
   * @throws Refusal `bad_database_spec` or `database_exists`, the reason of the signal, or the error of the
   *   engine. Nothing is created in any of these cases.
   */
  provision(spec: DatabaseSpec, signal?: AbortSignal): Promise<{ url: string }>
  /**
   * Changes the limits of a database. The limit of connections applies from the next connection, the limit of
   * storage from the next write.
   */
  setLimits(name: string, limits: DatabaseLimits): Promise<void>
  /**
   * Locks the owner out for good. Refuses new logins with 42501 and ends the open sessions with 57P01. The
   * data stays until `drop`. The call may be repeated.
   */
  block(name: string): Promise<void>
  /**
   * Drops a database and its owner. Ends the open sessions with 57P01. Does nothing if the database does not
   * exist.
   */
  drop(name: string): Promise<void>
  stats(name: string): Promise<DatabaseStats>
  /**
   * Copies databases with their owners and limits, each at a moment when no statement runs in it. Leaves out
   * names without a database. The copies last until `forget` or `close`.
   *
   * @throws Refusal `database_busy` if a statement or a transaction does not end in time. No copies are kept
   *   then.
   */
  copy(names: readonly string[]): Promise<DatabaseCopies>
  /**
   * Restores all databases of a set of copies. A database that still exists is replaced, and its sessions end
   * with 57P01. The copies stay. If the call fails, nothing has changed.
   *
   * @throws Refusal `unknown_copies`
   */
  putBack(copies: DatabaseCopies): Promise<void>
  /** Removes copies. Does nothing if they are already removed. */
  forget(copies: DatabaseCopies): Promise<void>
  /** Checks that the provider can work. @throws Error with a message for the operator if it cannot */
  ready(): Promise<void>
  /** Ends every session and frees what the provider uses. */
  close(): Promise<void>
}

/**
 * Checks the name of a database.
 *
 * @throws Refusal `bad_database_spec` unless the name is `db_` and 12 hexadecimal digits
 */
export function checkDatabaseName(name: string): void {
  if (!NAME.test(name))
    throw badSpec(`${JSON.stringify(name)} is not a database name`, 'use db_ and 12 hexadecimal digits')
}

/**
 * Checks the limits of a database.
 *
 * @throws Refusal `bad_database_spec` unless both are whole numbers of at least 1. Storage may also be null.
 */
export function checkLimits(limits: DatabaseLimits): void {
  for (const [what, value] of [
    ['storageBytes', limits.storageBytes],
    ['connections', limits.connections],
  ] as const)
    if (value !== null && (!Number.isSafeInteger(value) || value < 1))
      throw badSpec(`${what} cannot be ${value}`, 'use a whole number of at least 1')
}

/**
 * Checks a database to create. Names and passwords that pass are safe in SQL and in paths.
 *
 * @throws Refusal `bad_database_spec`
 */
export function checkSpec(spec: DatabaseSpec): void {
  checkDatabaseName(spec.name)
  if (!USER.test(spec.user))
    throw badSpec(`${JSON.stringify(spec.user)} is not a user name`, 'use usr_ and 12 hexadecimal digits')
  if (!PASSWORD.test(spec.password))
    throw badSpec(
      'the password has characters or a length that are not supported',
      'use 1 to 256 printable ASCII characters',
    )
  checkLimits(spec.limits)
}

function badSpec(message: string, hint: string): Refusal {
  return new Refusal('bad_database_spec', message, hint)
}

/**
 * The values that a server stores to check a password by SCRAM (RFC 5802). The password cannot be computed
 * from them. All strings are base64.
 */
export interface Verifier {
  salt: string
  iterations: number
  storedKey: string
  serverKey: string
}

/**
 * Derives the verifier of a password.
 *
 * @param password printable ASCII, which SASLprep does not change
 * @param salt 16 random bytes
 */
export async function makeVerifier(password: string, salt: Buffer): Promise<Verifier> {
  const salted = await promisify(pbkdf2)(password, salt, ITERATIONS, 32, 'sha256')
  const clientKey = hmac(salted, 'Client Key')
  return {
    salt: salt.toString('base64'),
    iterations: ITERATIONS,
    storedKey: createHash('sha256').update(clientKey).digest('base64'),
    serverKey: hmac(salted, 'Server Key').toString('base64'),
  }
}

/**
 * Checks the proof that a SCRAM client sends.
 *
 * @param exchange the text of the messages that both sides sign (`AuthMessage` in RFC 5802)
 * @param proof the client's proof, 32 bytes
 * @returns the server's signature, or undefined if the password is wrong
 */
export function verify(verifier: Verifier, exchange: string, proof: Buffer): Buffer | undefined {
  const storedKey = Buffer.from(verifier.storedKey, 'base64')
  const signature = hmac(storedKey, exchange)
  if (proof.length !== signature.length) return undefined
  const clientKey = Buffer.from(proof.map((byte, at) => byte ^ signature.readUInt8(at)))
  if (!timingSafeEqual(createHash('sha256').update(clientKey).digest(), storedKey)) return undefined
  return hmac(Buffer.from(verifier.serverKey, 'base64'), exchange)
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}
