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
   * Bytes of data, beyond the size of an empty database. Above it, writes fail with SQLSTATE 53100. Null
   * means no limit.
   */
  storageBytes: number | null
  /** Number of open sessions. One more is refused with SQLSTATE 53300. */
  connections: number
}

/** A database to create. {@link checkSpec} checks the names, so that nothing else reaches SQL or a path. */
export interface DatabaseSpec {
  /** `db_` and 12 hexadecimal digits */
  name: string
  /** `usr_` and 12 hexadecimal digits. The owner, and the only role that may log in. */
  user: string
  /** Printable ASCII, so that SCRAM and URLs need no preparation of it. */
  password: string
  limits: DatabaseLimits
}

/**
 * The database's engine is `awake` or `asleep`. Asleep, only its files exist, and the next connection wakes
 * it.
 */
export type DatabaseState = 'awake' | 'asleep'

export interface DatabaseStats {
  /** Bytes of the whole database, as `pg_database_size` counts them. */
  sizeBytes: number
  /** Bytes that count against `storageBytes`: the growth since the database was empty. */
  usedBytes: number
  connections: number
  state: DatabaseState
}

/** A set of copies of databases. */
export interface DatabaseCopies {
  readonly id: string
  /** Names of the databases. */
  readonly names: readonly string[]
}

/** The kind of the provider and its notes, for a status page. */
export interface ProviderInfo {
  kind: 'embedded' | 'server'
  /** Sentences that the operator should read, such as a missing extension. */
  notes: readonly string[]
}

/**
 * Creates and manages databases.
 *
 * Every method with a name rejects with a `Refusal` `unknown_database` if the database does not exist, except
 * `drop`.
 */
export interface DatabaseProvider {
  readonly info: ProviderInfo
  /**
   * Creates a database and its owner.
   *
   * @param signal ends the work early. Nothing is created then.
   * @returns the URL, which can be used at once
   * @throws Refusal `bad_database_spec`, `database_exists`. Any other error also means that nothing was
   *   created.
   */
  provision(spec: DatabaseSpec, signal?: AbortSignal): Promise<{ url: string }>
  /**
   * Changes the limits of a database. They apply to new connections at once and to storage from the next
   * write.
   */
  setLimits(name: string, limits: DatabaseLimits): Promise<void>
  /**
   * Locks the owner out for good: new logins are refused (42501), then the sessions are ended (57P01). The
   * data stay. Only `drop` is possible afterwards. May be repeated.
   */
  block(name: string): Promise<void>
  /**
   * Copies each of the databases that exists, with its owner and limits, at a moment when no statement runs
   * in it. The copies last until the provider is closed.
   *
   * @throws Refusal `database_busy` if a database stays busy. No copies are kept then.
   */
  drop(name: string): Promise<void>
  stats(name: string): Promise<DatabaseStats>
  /**
   * Keeps a copy of each of those databases that exists, as it is while no statement runs in it, with its
   * owner and limits. The copies go when the provider is closed.
   *
   * @throws Refusal `database_busy` for one that does not come to rest; no copies are kept then
   */
  copy(names: readonly string[]): Promise<DatabaseCopies>
  /**
   * Restores databases from copies, whether the databases still exist or not. Ends the sessions of those that
   * exist (57P01). The copies stay. A failure changes nothing.
   *
   * @throws Refusal `unknown_copies`
   */
  putBack(copies: DatabaseCopies): Promise<void>
  /** Removes copies. Does nothing for copies that are already removed. */
  forget(copies: DatabaseCopies): Promise<void>
  /** @throws Error if the engine is down. The message is for an operator. */
  ready(): Promise<void>
  /** Ends every session and stops all work. */
  close(): Promise<void>
}

/** @throws Refusal `bad_database_spec` unless the text is exactly a database name */
export function checkDatabaseName(name: string): void {
  if (!NAME.test(name))
    throw badSpec(`${JSON.stringify(name)} is no database name`, 'use db_ and 12 hexadecimal digits')
}

/**
 * @throws Refusal `bad_database_spec` unless both are whole numbers of at least 1. Storage may also be null.
 */
export function checkLimits(limits: DatabaseLimits): void {
  for (const [what, value] of [
    ['storageBytes', limits.storageBytes],
    ['connections', limits.connections],
  ] as const)
    if (value !== null && (!Number.isSafeInteger(value) || value < 1))
      throw badSpec(`${what} cannot be ${value}`, 'use a whole number, 1 or more')
}

/** @throws Refusal `bad_database_spec`. Accepted names can be quoted into SQL and used as file names. */
export function checkSpec(spec: DatabaseSpec): void {
  checkDatabaseName(spec.name)
  if (!USER.test(spec.user))
    throw badSpec(`${JSON.stringify(spec.user)} is no user name`, 'use usr_ and 12 hexadecimal digits')
  if (!PASSWORD.test(spec.password))
    throw badSpec('the password cannot be used', 'use 1 to 256 printable ASCII characters')
  checkLimits(spec.limits)
}

function badSpec(message: string, hint: string): Refusal {
  return new Refusal('bad_database_spec', message, hint)
}

/** The values that a server stores to check a password (RFC 5802). They do not allow a login. Base64 each. */
export interface Verifier {
  salt: string
  iterations: number
  storedKey: string
  serverKey: string
}

/**
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
 * Checks a client's proof.
 *
 * @returns the server's own signature, or undefined if the password is wrong
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
