import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../../../shared/clock/clock.js'
import { withinLimit } from '../../../../shared/clock/within-limit.js'
import { Refusal } from '../../../../shared/errors.js'
import type { IdSource } from '../../../../shared/ids.js'
import {
  checkLimits,
  checkSpec,
  type DatabaseCopies,
  type DatabaseLimits,
  type DatabaseProvider,
  type DatabaseSpec,
  type DatabaseStats,
  makeVerifier,
  type ProviderInfo,
} from '../provider.js'
import { COPIES_DIRECTORY, Copies } from './copies.js'
import { DirectoryLock, directorySize, makeDataDirectory } from './data-directory.js'
import { Engine } from './engine/engine.js'
import { type DatabaseRecord, IndexFile } from './index-file.js'
import { LockTimeout } from './session/engine-lifecycle.js'
import { TERMINATED } from './session/interruption.js'
import { Session } from './session/session.js'
import type { SessionTimes } from './session/session-options.js'
import { assignDatabaseName, Spares } from './spare.js'
import { makeTemporaryDirectory, removeTemporaryDirectory } from './temporary-directory.js'
import { PgServer } from './wire/pg-server.js'

interface Database {
  record: DatabaseRecord
  session: Session
}

/** Names of the directories of databases. Directories with other names are never removed. */
const DATABASE_DIRECTORY = /^data_[0-9a-f]{16}$/

/**
 * Creates databases inside of this process: each is a PGlite in a worker thread of its own, and all are
 * behind one PostgreSQL port. No PostgreSQL server has to be installed. `databases/README.md` has the design.
 */
export class EmbeddedDatabases implements DatabaseProvider {
  readonly info: ProviderInfo = {
    kind: 'embedded',
    notes: [
      'One session per database: while a connection has a transaction open, the other connections wait.',
    ],
  }
  readonly #options: EmbeddedOptions
  readonly #times: SessionTimes
  readonly #root: string
  readonly #temporary: boolean
  readonly #lock: DirectoryLock
  readonly #index: IndexFile
  readonly #spares: Spares
  readonly #copies: Copies
  readonly #server: PgServer
  readonly #databases = new Map<string, Database>()
  /** Names of the databases that are being created. No second database may have such a name. */
  readonly #namesInUse = new Set<string>()
  #port = 0
  #closed = false

  private constructor(options: EmbeddedOptions) {
    this.#options = options
    this.#times = { ...DEFAULT_TIMES, ...options.times }
    this.#temporary = options.dataDirectory === undefined
    this.#root = options.dataDirectory ?? makeTemporaryDirectory()
    makeDataDirectory(this.#root)
    this.#lock = DirectoryLock.take(this.#root)
    this.#index = new IndexFile(this.#root)
    const { statementTimeoutMs, openingLimitMs } = this.#times
    this.#copies = new Copies(this.#root)
    this.#spares = new Spares({
      machine: options.machine,
      root: this.#root,
      directoryName: () => this.#directoryName(),
      statementTimeoutMs,
      openingLimitMs,
    })
    this.#server = new PgServer({
      machine: options.machine,
      ids: options.ids,
      host: options.host ?? '127.0.0.1',
      statementTimeoutMs,
      databases: {
        verifier: user => this.#ofUser(user)?.record.verifier,
        database: name => {
          const found = this.#databases.get(name)
          return found && { ...found.record, session: found.session }
        },
      },
    })
  }

  /**
   * Opens the data directory and the port. Starts no engine.
   *
   * @throws Refusal `data_directory_in_use` or `bad_data_directory`, or the system's error if the port cannot
   *   be opened
   */
  static async start(options: EmbeddedOptions): Promise<EmbeddedDatabases> {
    const provider = new EmbeddedDatabases(options)
    try {
      const { port } = await provider.#restore()
      provider.#port = await provider.#server.listen(options.port ?? 0, port)
      return provider
    } catch (error) {
      provider.#lock.release()
      throw error
    }
  }

  /** The TCP port of the databases. */
  get port(): number {
    return this.#port
  }

  /** Resolves when an empty database is ready, so that the next `provision` is quick. */
  async spareReady(): Promise<void> {
    await this.#spares.ready()
  }

  /** Returns the server certificate as PEM, for a client that verifies it. */
  async certificate(): Promise<string> {
    return (await this.#server.certificate()).pem
  }

  async provision(spec: DatabaseSpec, signal?: AbortSignal): Promise<{ url: string }> {
    checkSpec(spec)
    const { name, user, password } = spec
    if (this.#databases.has(name) || this.#namesInUse.has(name) || this.#ofUser(user) !== undefined)
      throw new Refusal(
        'database_exists',
        `the database ${name} or the user ${user} already exists`,
        'use another name',
      )
    const limit = { machine: this.#options.machine, ms: this.#times.openingLimitMs, signal }
    await withinLimit({ ...limit, what: `creating the database ${name}` }, signal =>
      this.#create(spec, signal),
    )
    this.#spares.prepare()
    const { host = '127.0.0.1' } = this.#options
    const address = `${host.includes(':') ? `[${host}]` : host}:${this.#port}`
    // The URL has no sslmode, because node-postgres treats "require" as verify-full and would refuse the
    // self-signed certificate. A client that asks for TLS gets it.
    return { url: `postgres://${user}:${encodeURIComponent(password)}@${address}/${name}` }
  }

  /**
   * Creates a database from the empty one. If a step fails or the signal is aborted, the engine ends and
   * nothing is left.
   */
  async #create({ name, user, password, limits }: DatabaseSpec, signal: AbortSignal): Promise<void> {
    this.#namesInUse.add(name)
    try {
      const verifier = await makeVerifier(password, this.#options.ids.bytes(16))
      const { engine, directory } = await this.#spares.take(signal)
      const kill = () => void engine.kill()
      signal.addEventListener('abort', kill, { once: true })
      try {
        await assignDatabaseName(engine, name, user)
        const emptySize = engine.state.size
        const { storageBytes, connections } = limits
        const properties = { name, user, verifier, storageBytes, connections, blocked: false }
        const record = { ...properties, directory, emptySize }
        const database = this.#open(record)
        await database.session.adopt(engine)
        if (this.#closed) throw new Error('the databases are closed')
        this.#databases.set(name, database)
        await this.#save()
        signal.throwIfAborted()
      } catch (error) {
        if (this.#databases.delete(name)) await this.#save()
        await engine.kill()
        await this.#removeFiles(directory)
        throw error
      } finally {
        signal.removeEventListener('abort', kill)
      }
    } finally {
      this.#namesInUse.delete(name)
    }
  }

  async setLimits(name: string, limits: DatabaseLimits): Promise<void> {
    checkLimits(limits)
    const { record, session } = this.#find(name)
    Object.assign(record, { storageBytes: limits.storageBytes, connections: limits.connections })
    session.maxBytes = maxFileBytes(record)
    await this.#save()
  }

  async block(name: string): Promise<void> {
    const { record, session } = this.#find(name)
    record.blocked = true
    await this.#save()
    session.disconnectAll(TERMINATED)
  }

  async drop(name: string): Promise<void> {
    const database = this.#databases.get(name)
    if (database === undefined) return
    this.#databases.delete(name)
    await this.#save()
    await database.session.close(TERMINATED)
    await this.#removeFiles(database.record.directory)
  }

  async stats(name: string): Promise<DatabaseStats> {
    const { record, session } = this.#find(name)
    const sizeBytes = await directorySize(join(this.#root, record.directory, 'base', '5'))
    return {
      sizeBytes,
      usedBytes: Math.max(0, sizeBytes - record.emptySize),
      connections: session.connections,
      state: session.awake ? 'awake' : 'asleep',
    }
  }

  async copy(names: readonly string[]): Promise<DatabaseCopies> {
    const databases = names.flatMap(name => this.#databases.get(name) ?? [])
    const id = `copies_${this.#options.ids.hex(16)}`
    await this.#copies.create(
      id,
      databases.map(({ record, session }) => ({ record, quiesce: work => quiesce(record, session, work) })),
    )
    return { id, names: databases.map(({ record }) => record.name) }
  }

  async putBack({ id }: DatabaseCopies): Promise<void> {
    const limit = {
      machine: this.#options.machine,
      ms: this.#times.copyLimitMs,
      what: 'restoring a database',
    }
    const records = await this.#copies.restore(
      id,
      () => this.#directoryName(),
      work => withinLimit(limit, work),
    )
    const before = records.map(({ name }) => ({ name, database: this.#databases.get(name) }))
    for (const record of records) this.#databases.set(record.name, this.#open(record))
    try {
      await this.#save()
    } catch (error) {
      for (const { name, database } of before) {
        if (database === undefined) this.#databases.delete(name)
        else this.#databases.set(name, database)
      }
      for (const { directory } of records) await this.#removeFiles(directory)
      throw error
    }
    for (const { database } of before) {
      await database?.session.close(TERMINATED)
      if (database !== undefined) await this.#removeFiles(database.record.directory)
    }
  }

  async forget({ id }: DatabaseCopies): Promise<void> {
    await this.#copies.forget(id)
  }

  async ready(): Promise<void> {
    if (this.#closed || !this.#server.listening) throw new Error('the embedded databases are closed')
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    const ended = [...this.#databases.values()].map(({ session }) => session.close(TERMINATED))
    await Promise.all([...ended, this.#spares.close(), this.#copies.forgetAll()])
    await this.#server.close()
    if (this.#temporary) await removeTemporaryDirectory(this.#root)
    this.#lock.release()
  }

  /**
   * Opens the databases of the last start, and removes directories without a database.
   *
   * @returns the port of the last start, or 0
   */
  async #restore(): Promise<{ port: number }> {
    const { port, databases } = await this.#index.read()
    for (const record of databases) this.#databases.set(record.name, this.#open(record))
    const usedDirectories = new Set([...this.#databases.values()].map(({ record }) => record.directory))
    for (const entry of await readdir(this.#root))
      if ((DATABASE_DIRECTORY.test(entry) && !usedDirectories.has(entry)) || COPIES_DIRECTORY.test(entry))
        await this.#removeFiles(entry)
    return { port }
  }

  #open(record: DatabaseRecord): Database {
    const { statementTimeoutMs } = this.#times
    const session = new Session({
      machine: this.#options.machine,
      times: this.#times,
      user: record.user,
      memoryLimit: this.#options.memoryLimit ?? DEFAULT_MEMORY_LIMIT,
      open: signal =>
        Engine.open(
          { directory: join(this.#root, record.directory), database: record.name, statementTimeoutMs },
          signal,
        ),
    })
    session.maxBytes = maxFileBytes(record)
    return { record, session }
  }

  #directoryName(): string {
    return `data_${this.#options.ids.hex(16)}`
  }

  #find(name: string): Database {
    const database = this.#databases.get(name)
    if (database === undefined)
      throw new Refusal('unknown_database', `there is no database ${JSON.stringify(name)}`)
    return database
  }

  #ofUser(user: string): Database | undefined {
    for (const database of this.#databases.values()) if (database.record.user === user) return database
    return undefined
  }

  #save(): Promise<void> {
    const databases = [...this.#databases.values()].map(({ record }) => record)
    return this.#index.write({ port: this.#port, databases })
  }

  async #removeFiles(directory: string): Promise<void> {
    await rm(join(this.#root, directory), { recursive: true, force: true, maxRetries: 3 })
  }
}

/** Returns the largest size that a database's files may reach, in bytes. */
function maxFileBytes({ emptySize, storageBytes }: DatabaseRecord): number {
  return storageBytes === null ? Number.POSITIVE_INFINITY : emptySize + storageBytes
}

/**
 * Runs `work` while no statement runs in a database.
 *
 * @throws Refusal `database_busy` if that does not happen in time
 */
async function quiesce(
  { name }: DatabaseRecord,
  session: Session,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  try {
    await session.quiesce(work)
  } catch (error) {
    if (!(error instanceof LockTimeout)) throw error
    throw new Refusal(
      'database_busy',
      `the database ${name} cannot be copied while a connection runs a statement or has a transaction open`,
      'end the statement, the transaction or the connection, and try again',
    )
  }
}

export interface EmbeddedOptions {
  /** Machine time. Sockets, waits and closing idle engines must not follow the clock of the instance. */
  machine: Clock
  /** Source of nonces, salts and directory names. */
  ids: IdSource
  /** Path of the data directory. Default: a temporary directory that is removed at close. */
  dataDirectory?: string
  /** Address on which the port listens. Default `127.0.0.1`. */
  host?: string
  /** The port. Default 0: the port of the last start, or any free port. */
  port?: number
  times?: Partial<SessionTimes>
  /** Bytes of memory beyond which an engine is replaced. Default 512 MB. An engine starts with 128 MB. */
  memoryLimit?: number
}

export const DEFAULT_TIMES: SessionTimes = {
  // A transaction of one request takes less, and the time-outs of clients and test runners are longer.
  waitLimitMs: 5_000,
  // The real service sets 30 s for its roles.
  statementTimeoutMs: 30_000,
  // Postgres stops a statement within half a second, or not at all (measured).
  cancelGraceMs: 3_000,
  // An engine opens in 300 ms, or in a few seconds on a busy
  // machine (measured). After a minute it counts as hung.
  openingLimitMs: 60_000,
  // A full database of 500 MB is copied in seconds. The limit leaves time for a slow disk.
  copyLimitMs: 300_000,
  idleMs: 500,
  // An open engine costs 50 MB, and opening one again costs a client about 300 ms (measured).
  hibernateAfterMs: 60_000,
}

export const DEFAULT_MEMORY_LIMIT = 512 * 1024 * 1024
