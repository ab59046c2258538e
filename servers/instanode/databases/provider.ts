import { createHash, createHmac, pbkdf2, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { Refusal } from '../../../shared/errors.js'

/** PostgreSQL's default (`scram_iterations`). */
const ITERATIONS = 4096

const NAME = /^db_[0-9a-f]{12}$/

const USER = /^usr_[0-9a-f]{12}$/

const PASSWORD = /^[\x21-\x7e]{1,256}$/

/** What a database may use. */
export interface DatabaseLimits {
  /** Bytes of data, beyond what an empty database takes; past it writes fail with SQLSTATE 53100. Null: as many as fit. */
  storageBytes: number | null
  /** Sessions open at once; one more is refused with SQLSTATE 53300. */
  connections: number
}

/** A database to be made. Names are checked by {@link checkSpec}: nothing else ever reaches SQL or a path. */
export interface DatabaseSpec {
  /** `db_` and 12 hexadecimal digits */
  name: string
  /** `usr_` and 12 hexadecimal digits: the owner, and the only role that may log in */
  user: string
  /** Printable ASCII, so that SCRAM and URLs need no preparation of it. */
  password: string
  limits: DatabaseLimits
}

/** `asleep`: only its files exist, the next connection wakes it. */
export type DatabaseState = 'awake' | 'asleep'

export interface DatabaseStats {
  /** Bytes the whole database takes, as `pg_database_size` counts them. */
  sizeBytes: number
  /** Bytes that count against `storageBytes`: the growth over the empty database. */
  usedBytes: number
  connections: number
  state: DatabaseState
}

/** Copies of databases, as their provider knows them. */
export interface DatabaseCopies {
  readonly id: string
  /** Of the databases. */
  readonly names: readonly string[]
}

/** What kind of server answers, for a status page. */
export interface ProviderInfo {
  kind: 'embedded' | 'server'
  /** Sentences its operator should read: a missing extension, say. */
  notes: readonly string[]
}

/**
 * Where live databases come from.
 *
 * Every method that takes a name rejects with a `Refusal` `unknown_database` if there is no such database, save `drop`.
 */
export interface DatabaseProvider {
  readonly info: ProviderInfo
  /**
   * Makes a database and its owner.
   *
   * @param signal ends the work early. Nothing was made then.
   * @returns the URL, which answers at once
   * @throws Refusal `bad_database_spec`, `database_exists`; any other error means that nothing was made
   */
  provision(spec: DatabaseSpec, signal?: AbortSignal): Promise<{ url: string }>
  /** Puts limits in force for a live database: new connections at once, storage from the next write. */
  setLimits(name: string, limits: DatabaseLimits): Promise<void>
  /**
   * Locks its owner out for good: new logins are refused (42501), then its sessions are ended (57P01). Its data stay, and
   * nothing but `drop` is left to be done with it. Once more is fine.
   */
  block(name: string): Promise<void>
  /** Ends its sessions (57P01) and removes it with its owner (later logins: 28P01). A name that is gone already is fine. */
  drop(name: string): Promise<void>
  stats(name: string): Promise<DatabaseStats>
  /**
   * Keeps a copy of each of those databases that exists, as it is while no statement runs in it, with its owner and limits.
   * The copies go when the provider is closed.
   *
   * @throws Refusal `database_busy` for one that does not come to rest; no copies are kept then
   */
  copy(names: readonly string[]): Promise<DatabaseCopies>
  /**
   * Puts databases back as they were copied, whether they are still there or not; the sessions of those that are end
   * (57P01). The copies stay. If it fails nothing has changed.
   *
   * @throws Refusal `unknown_copies`
   */
  putBack(copies: DatabaseCopies): Promise<void>
  /** Lets copies go; those that are gone already are fine. */
  forget(copies: DatabaseCopies): Promise<void>
  /** @throws Error when the engine is down, in words for an operator */
  ready(): Promise<void>
  /** Ends every session and leaves nothing running. */
  close(): Promise<void>
}

/** @throws Refusal `bad_database_spec` for anything that is not exactly a database's name */
export function checkName(name: string): void {
  if (!NAME.test(name))
    throw bad(`${JSON.stringify(name)} is no database name`, 'use db_ and 12 hexadecimal digits')
}

/** @throws Refusal `bad_database_spec` unless both are whole numbers, 1 or more, or storage has no limit */
export function checkLimits(limits: DatabaseLimits): void {
  for (const [what, value] of [
    ['storageBytes', limits.storageBytes],
    ['connections', limits.connections],
  ] as const)
    if (value !== null && (!Number.isSafeInteger(value) || value < 1))
      throw bad(`${what} cannot be ${value}`, 'use a whole number, 1 or more')
}

/** @throws Refusal `bad_database_spec`; what passes can be quoted into SQL and used as a file name */
export function checkSpec(spec: DatabaseSpec): void {
  checkName(spec.name)
  if (!USER.test(spec.user))
    throw bad(`${JSON.stringify(spec.user)} is no user name`, 'use usr_ and 12 hexadecimal digits')
  if (!PASSWORD.test(spec.password))
    throw bad('the password cannot be used', 'use 1 to 256 printable ASCII characters')
  checkLimits(spec.limits)
}

function bad(message: string, hint: string): Refusal {
  return new Refusal('bad_database_spec', message, hint)
}

/** What a server keeps of a password (RFC 5802): enough to check it, not enough to log in with. Base64 each. */
export interface Verifier {
  salt: string
  iterations: number
  storedKey: string
  serverKey: string
}

/**
 * @param password printable ASCII, for which SASLprep changes nothing
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
