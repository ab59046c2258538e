import type { Clock, Wakeup } from '../../../../shared/clock/clock.js'
import { withinLimit } from '../../../../shared/clock/within-limit.js'
import { Refusal } from '../../../../shared/errors.js'
import type { IdSource } from '../../../../shared/ids.js'
import {
  checkDatabaseName,
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
import { Admin, name, text } from './admin.js'
import { ServerCopies } from './copies.js'
import { TemplateClones } from './template-clones.js'
import {
  findOwner,
  findTenant,
  findTenants,
  judge,
  limit,
  lockOut,
  remember,
  rememberOwner,
} from './tenant.js'

export interface ServerOptions {
  /** URL of a PostgreSQL 13 or later, with a role that may create databases and roles. */
  adminUrl: string
  /** Machine time, for the interval between size checks. */
  machine: Clock
  /** Source of salts and of the names of spares. */
  ids: IdSource
  /** Whether databases and their owners stay at close. Default false. */
  keep?: boolean
  /**
   * Whether other instances on the server use the same template, which then stays. Default false: the
   * instance makes its own, and removes it at close.
   */
  shared?: boolean
  /**
   * Number of empty databases that are kept ready. Default 2, and 0 with a shared template, because a killed
   * instance would leave them behind.
   */
  spares?: number
  /** Milliseconds that creating a database may take. Default 60,000. */
  provisionLimitMs?: number
  /** Milliseconds between checks of the sizes. Default 2000. */
  quotaPollMs?: number
}

/** PostgreSQL's codes for a name that is taken. */
const TAKEN = new Set(['42710', '42P04'])

/**
 * Milliseconds before a spare is replaced. Longer than opening a connection takes, because cloning at once
 * would slow the caller's first connection.
 */
const REFILL_MS = 200

/**
 * Databases on a real PostgreSQL server, with a role each. The server's own limits are used where it has
 * them.
 */
export class ServerDatabases implements DatabaseProvider {
  readonly #options: ServerOptions
  readonly #admin: Admin
  readonly #clones: TemplateClones
  readonly #copies: ServerCopies
  readonly #notes: string[] = [
    'Storage is looked at every few seconds; past its limit a database becomes read-only (25006).',
  ]
  /** Names of the databases that this instance created and has to remove. */
  readonly #made = new Set<string>()
  #poll: Wakeup | undefined
  #refill: Wakeup | undefined
  #judging: Promise<void> = Promise.resolve()
  #closed = false

  private constructor(options: ServerOptions) {
    this.#options = options
    this.#admin = new Admin(options.adminUrl)
    const { ids, shared = false, spares = shared ? 0 : 2 } = options
    this.#clones = new TemplateClones({ admin: this.#admin, ids, wanted: spares, shared })
    this.#copies = new ServerCopies(this.#admin, options.ids)
  }

  /**
   * Connects, checks for pgvector, and prepares spare databases in the background.
   *
   * @throws Refusal `bad_database_url`, `database_server_down`, `database_rights`
   */
  static async start(options: ServerOptions): Promise<ServerDatabases> {
    const provider = new ServerDatabases(options)
    try {
      await provider.#admin.check()
      await provider.#admin.checkRights()
      if (!(await provider.#clones.start()))
        provider.#notes.push(
          'pgvector is not available on this server: databases come without the vector type.',
        )
    } catch (error) {
      await provider.#admin.close()
      throw error
    }
    provider.#clones.refill()
    provider.#watch()
    return provider
  }

  get info(): ProviderInfo {
    return { kind: 'server', notes: this.#notes }
  }

  async provision(spec: DatabaseSpec, signal?: AbortSignal): Promise<{ url: string }> {
    checkSpec(spec)
    const { machine, provisionLimitMs: ms = 60_000 } = this.#options
    const what = `making the database ${spec.name}`
    return await withinLimit({ machine, ms, what, signal }, signal => this.#make(spec, signal))
  }

  /** Creates a database. A failure leaves nothing behind. */
  async #make(spec: DatabaseSpec, signal: AbortSignal): Promise<{ url: string }> {
    const { user, password, limits } = spec
    // The password is sent as a verifier, so that the server's logs do not have it.
    const { salt, iterations, storedKey, serverKey } = await makeVerifier(
      password,
      this.#options.ids.bytes(16),
    )
    const secret = `SCRAM-SHA-256$${iterations}:${salt}$${storedKey}:${serverKey}`
    const clone = await this.#clones.take()
    if (signal.aborted) {
      this.#clones.giveBack(clone)
      throw signal.reason
    }
    this.#refillSoon()
    try {
      // One message is one transaction: all of it or nothing. The membership allows an administrator without
      // superuser rights to change the owner.
      await this.#admin.run(
        `CREATE ROLE ${name(user)} LOGIN PASSWORD ${text(secret)} CONNECTION LIMIT ${limits.connections};
         ALTER ROLE ${name(user)} SET statement_timeout = '30s';
         GRANT ${name(user)} TO CURRENT_USER;
         ${rememberOwner(user, spec.name)};
         ALTER DATABASE ${name(clone.name)} RENAME TO ${name(spec.name)};
         ALTER DATABASE ${name(spec.name)} OWNER TO ${name(user)};
         ${remember(spec.name, limits.storageBytes, clone.size)}`,
      )
    } catch (error) {
      await this.#clones.discard(clone.name)
      if (error instanceof Error && 'code' in error && TAKEN.has(String(error.code)))
        throw new Refusal('database_exists', `there is a database ${spec.name} or a user ${user} already`)
      throw error
    }
    this.#made.add(spec.name)
    if (signal.aborted) {
      await this.drop(spec.name)
      throw signal.reason
    }
    return { url: this.#admin.urlFor(spec.name, { user, password }) }
  }

  async setLimits(database: string, limits: DatabaseLimits): Promise<void> {
    checkLimits(limits)
    checkDatabaseName(database)
    await limit(this.#admin, await findTenant(this.#admin, database), limits)
    await judge(this.#admin, await findTenant(this.#admin, database))
  }

  async block(database: string): Promise<void> {
    checkDatabaseName(database)
    await lockOut(this.#admin, await findTenant(this.#admin, database))
  }

  async drop(database: string): Promise<void> {
    checkDatabaseName(database)
    const [tenant] = await findTenants(this.#admin, database)
    this.#made.delete(database)
    if (tenant === undefined) {
      const left = await findOwner(this.#admin, database)
      if (left !== undefined) await this.#copies.dropOwner(left)
      return
    }
    // New sessions are refused before the open ones are ended, so that a client cannot reconnect in between.
    await this.#admin.run(`ALTER ROLE ${name(tenant.user)} NOLOGIN`)
    await this.#clones.discard(database)
    await this.#copies.dropOwner(tenant.user)
  }

  async stats(database: string): Promise<DatabaseStats> {
    checkDatabaseName(database)
    const { size, emptySize } = await findTenant(this.#admin, database)
    const [row] = await this.#admin.run(
      `SELECT count(*)::int AS connections FROM pg_stat_activity
       WHERE datname = $1 AND backend_type = 'client backend'`,
      [database],
    )
    return {
      sizeBytes: size,
      usedBytes: Math.max(0, size - emptySize),
      connections: Number(row?.connections),
      state: 'awake',
    }
  }

  async copy(names: readonly string[]): Promise<DatabaseCopies> {
    for (const database of names) checkDatabaseName(database)
    return await this.#copies.keep(names)
  }

  async putBack({ id, names }: DatabaseCopies): Promise<void> {
    await this.#copies.putBack(id)
    for (const database of names) this.#made.add(database)
  }

  async forget({ id }: DatabaseCopies): Promise<void> {
    await this.#copies.forget(id)
  }

  async ready(): Promise<void> {
    await this.#admin.check()
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#poll?.cancel()
    this.#refill?.cancel()
    await this.#judging
    await this.#copies.forgetAll()
    if (this.#options.keep !== true) for (const database of [...this.#made]) await this.drop(database)
    await this.#clones.close()
    await this.#admin.close()
  }

  #refillSoon(): void {
    const { machine } = this.#options
    this.#refill ??= machine.wakeAt(machine.now() + REFILL_MS, () => {
      this.#refill = undefined
      this.#clones.refill()
    })
  }

  #watch(): void {
    const { machine, quotaPollMs = 2_000 } = this.#options
    this.#poll = machine.wakeAt(machine.now() + quotaPollMs, () => {
      this.#judging = this.#judgeAll().then(() => {
        if (!this.#closed) this.#watch()
      })
      return this.#judging
    })
  }

  async #judgeAll(): Promise<void> {
    // The server may be down, or a database may have been dropped. The next check looks again.
    const tenants = await findTenants(this.#admin).catch(() => [])
    for (const tenant of tenants) await judge(this.#admin, tenant).catch(() => undefined)
  }
}
