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
  enforceStorage,
  findOwner,
  findTenant,
  findTenants,
  limitsCommentSql,
  lockOut,
  ownerCommentSql,
  setTenantLimits,
} from './tenant.js'

export interface ServerOptions {
  /**
   * URL of a PostgreSQL server of version 13 or later. Its role must be allowed to create databases and
   * roles.
   */
  adminUrl: string
  /** Machine time, because a manual clock must not stop the size checks. */
  machine: Clock
  /** Source of salts and of the names of clones. */
  ids: IdSource
  /** True: databases and their owners stay when the provider is closed. Default false. */
  keep?: boolean
  /**
   * True: all instances on the server share one template, which stays at close. False: this instance creates
   * its own template and removes it at close. Default false.
   */
  shared?: boolean
  /**
   * Number of empty databases that are kept ready. Default 2. With a shared template the default is 0,
   * because the empty databases of a killed instance would stay on the server.
   */
  spares?: number
  /** Milliseconds in which a database must be created. Default 60,000. */
  provisionLimitMs?: number
  /** Milliseconds between two checks of all sizes. Default 2,000. */
  quotaPollMs?: number
}

/** SQLSTATEs of a role (42710) or database (42P04) that already exists. */
const NAME_TAKEN = new Set(['42710', '42P04'])

/**
 * Milliseconds before the next clone is created. Cloning slows the server down, so this time leaves the
 * caller's first connection undisturbed.
 */
const REFILL_MS = 200

/**
 * Creates databases on a real PostgreSQL server, each with a role as its owner. The server enforces the limit
 * of connections. PostgreSQL has no storage limit, so this class checks the sizes.
 */
export class ServerDatabases implements DatabaseProvider {
  readonly #options: ServerOptions
  readonly #admin: Admin
  readonly #clones: TemplateClones
  readonly #copies: ServerCopies
  readonly #notes: string[] = [
    'Sizes are checked every few seconds. A database beyond its storage limit becomes read-only (25006).',
  ]
  /** Names of the databases that this instance has created, and drops at close unless `keep` is set. */
  readonly #created = new Set<string>()
  #nextCheck: Wakeup | undefined
  #refill: Wakeup | undefined
  #checking: Promise<void> = Promise.resolve()
  #closed = false

  private constructor(options: ServerOptions) {
    this.#options = options
    this.#admin = new Admin(options.adminUrl)
    const { ids, shared = false, spares = shared ? 0 : 2 } = options
    this.#clones = new TemplateClones({ admin: this.#admin, ids, spares, shared })
    this.#copies = new ServerCopies(this.#admin, options.ids)
  }

  /**
   * Connects to the server, creates the template, and starts to create clones in the background.
   *
   * @throws Refusal `bad_database_url`, `database_server_down`, `database_rights`
   */
  static async start(options: ServerOptions): Promise<ServerDatabases> {
    const provider = new ServerDatabases(options)
    try {
      await provider.#admin.check()
      await provider.#admin.checkRights()
      if (!(await provider.#clones.start()))
        provider.#notes.push('pgvector is not available on this server, so databases have no vector type.')
    } catch (error) {
      await provider.#admin.close()
      throw error
    }
    provider.#clones.refill()
    provider.#scheduleCheck()
    return provider
  }

  get info(): ProviderInfo {
    return { kind: 'server', notes: this.#notes }
  }

  async provision(spec: DatabaseSpec, signal?: AbortSignal): Promise<{ url: string }> {
    checkSpec(spec)
    const { machine, provisionLimitMs: ms = 60_000 } = this.#options
    const what = `making the database ${spec.name}`
    return await withinLimit({ machine, ms, what, signal }, signal => this.#create(spec, signal))
  }

  /** Creates a database from a clone. If a step fails, nothing is left. */
  async #create(spec: DatabaseSpec, signal: AbortSignal): Promise<{ url: string }> {
    const { user, password, limits } = spec
    // The server receives a verifier instead of the password, so the password is never in its log.
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
      // One message is one transaction, so all statements succeed or none. An administrator that is not a
      // superuser must be a member of the role to make it the owner.
      await this.#admin.run(
        `CREATE ROLE ${name(user)} LOGIN PASSWORD ${text(secret)} CONNECTION LIMIT ${limits.connections};
         ALTER ROLE ${name(user)} SET statement_timeout = '30s';
         GRANT ${name(user)} TO CURRENT_USER;
         ${ownerCommentSql(user, spec.name)};
         ALTER DATABASE ${name(clone.name)} RENAME TO ${name(spec.name)};
         ALTER DATABASE ${name(spec.name)} OWNER TO ${name(user)};
         ${limitsCommentSql(spec.name, limits.storageBytes, clone.size)}`,
      )
    } catch (error) {
      await this.#clones.discard(clone.name)
      if (error instanceof Error && 'code' in error && NAME_TAKEN.has(String(error.code)))
        throw new Refusal(
          'database_exists',
          `the database ${spec.name} or the user ${user} already exists`,
          'use another name',
        )
      throw error
    }
    this.#created.add(spec.name)
    if (signal.aborted) {
      await this.drop(spec.name)
      throw signal.reason
    }
    return { url: this.#admin.urlFor(spec.name, { user, password }) }
  }

  async setLimits(database: string, limits: DatabaseLimits): Promise<void> {
    checkLimits(limits)
    checkDatabaseName(database)
    await setTenantLimits(this.#admin, await findTenant(this.#admin, database), limits)
    await enforceStorage(this.#admin, await findTenant(this.#admin, database))
  }

  async block(database: string): Promise<void> {
    checkDatabaseName(database)
    await lockOut(this.#admin, await findTenant(this.#admin, database))
  }

  async drop(database: string): Promise<void> {
    checkDatabaseName(database)
    const [tenant] = await findTenants(this.#admin, database)
    this.#created.delete(database)
    if (tenant === undefined) {
      const owner = await findOwner(this.#admin, database)
      if (owner !== undefined) await this.#copies.dropOwner(owner)
      return
    }
    // The owner may not log in from here on. Otherwise a
    // client could reconnect before the database is dropped.
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
    return await this.#copies.create(names)
  }

  async putBack({ id, names }: DatabaseCopies): Promise<void> {
    await this.#copies.putBack(id)
    for (const database of names) this.#created.add(database)
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
    this.#nextCheck?.cancel()
    this.#refill?.cancel()
    await this.#checking
    await this.#copies.forgetAll()
    if (this.#options.keep !== true) for (const database of [...this.#created]) await this.drop(database)
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

  #scheduleCheck(): void {
    const { machine, quotaPollMs = 2_000 } = this.#options
    this.#nextCheck = machine.wakeAt(machine.now() + quotaPollMs, () => {
      this.#checking = this.#checkStorage().then(() => {
        if (!this.#closed) this.#scheduleCheck()
      })
      return this.#checking
    })
  }

  async #checkStorage(): Promise<void> {
    // Errors are ignored, because the server may be down or a database
    // may just have been dropped. The next check repeats the work.
    const tenants = await findTenants(this.#admin).catch(() => [])
    for (const tenant of tenants) await enforceStorage(this.#admin, tenant).catch(() => undefined)
  }
}
