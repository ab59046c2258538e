import { Refusal } from '../../../../shared/errors.js'
import type { IdSource } from '../../../../shared/ids.js'
import { type Admin, name } from './admin.js'
import {
  endSessions,
  enforceStorage,
  findTenant,
  findTenants,
  limitsCommentSql,
  lockOut,
  setTenantLimits,
  type Tenant,
} from './tenant.js'

/** A copy of one database, with the properties that PostgreSQL does not copy. */
interface Copy {
  /** Name of the database that contains the copy. */
  readonly database: string
  readonly tenant: Tenant
  readonly connections: number
  readonly blocked: boolean
}

/**
 * SQLSTATE of a role that cannot be dropped, because it still owns an object
 * (`dependent_objects_still_exist`).
 */
const DEPENDENT_OBJECTS = '2BP01'

/**
 * Copies databases on the server and restores them. Each copy is a database with `ALLOW_CONNECTIONS false`.
 * PostgreSQL copies only a database without sessions, so `create` ends the sessions of the original with
 * 57P01.
 */
export class ServerCopies {
  readonly #admin: Admin
  readonly #ids: IdSource
  readonly #copies = new Map<string, readonly Copy[]>()
  /** Owners that could not be dropped with their database, because a copy still belongs to them. */
  readonly #remainingOwners = new Set<string>()

  constructor(admin: Admin, ids: IdSource) {
    this.#admin = admin
    this.#ids = ids
  }

  /**
   * Copies databases. Leaves out names without a database.
   *
   * @returns the id of the copies and the names of the copied databases
   */
  async create(names: readonly string[]): Promise<{ id: string; names: string[] }> {
    const id = this.#ids.hex(12)
    const copies: Copy[] = []
    this.#copies.set(id, copies)
    try {
      for (const requested of names) {
        const [tenant] = await findTenants(this.#admin, requested)
        if (tenant !== undefined) copies.push(await this.#copy(tenant))
      }
    } catch (error) {
      await this.forget(id)
      throw error
    }
    return { id, names: copies.map(({ tenant }) => tenant.name) }
  }

  /**
   * Restores databases from their copies.
   *
   * @throws Refusal `unknown_copies`, or the error of a clone that failed. Nothing has changed then.
   */
  async putBack(id: string): Promise<void> {
    const copies = this.#copies.get(id)
    if (copies === undefined) {
      throw new Refusal('unknown_copies', `there are no copies of databases ${JSON.stringify(id)}`)
    }
    const clones: { copy: Copy; clone: string }[] = []
    try {
      for (const copy of copies)
        clones.push({ copy, clone: await this.#clone(copy.database, copy.tenant.user) })
    } catch (error) {
      for (const { clone } of clones) await this.#discard(clone)
      throw error
    }
    for (const { copy, clone } of clones) await this.#install(copy, clone)
  }

  async forget(id: string): Promise<void> {
    const copies = this.#copies.get(id) ?? []
    this.#copies.delete(id)
    for (const { database } of copies) await this.#discard(database)
    // Another process may have dropped a database. Its owner
    // remained, because the copy belonged to the owner.
    for (const user of new Set([...this.#remainingOwners, ...copies.map(({ tenant }) => tenant.user)])) {
      if (!(await this.#ownsDatabase(user))) await this.dropOwner(user)
    }
  }

  async forgetAll(): Promise<void> {
    for (const id of [...this.#copies.keys()]) await this.forget(id)
  }

  /**
   * Drops the owner of a database. If a copy of the database still exists, the owner stays until the copy is
   * removed.
   */
  async dropOwner(user: string): Promise<void> {
    try {
      await this.#admin.run(`DROP ROLE IF EXISTS ${name(user)}`)
      this.#remainingOwners.delete(user)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === DEPENDENT_OBJECTS)) throw error
      this.#remainingOwners.add(user)
    }
  }

  async #ownsDatabase(user: string): Promise<boolean> {
    const [owned] = await this.#admin.run(
      'SELECT 1 FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba WHERE r.rolname = $1 LIMIT 1',
      [user],
    )
    return owned !== undefined
  }

  async #copy(tenant: Tenant): Promise<Copy> {
    const [row] = await this.#admin.run(
      `SELECT rolconnlimit, has_database_privilege(oid, $1, 'CONNECT') AS admitted FROM pg_roles WHERE rolname = $2`,
      [tenant.name, tenant.user],
    )
    await this.#admin.run(`ALTER DATABASE ${name(tenant.name)} ALLOW_CONNECTIONS false`)
    try {
      await endSessions(this.#admin, tenant)
      const database = await this.#clone(tenant.name, tenant.user)
      return {
        database,
        tenant,
        connections: Number(row?.rolconnlimit),
        blocked: row?.admitted !== true,
      }
    } finally {
      await this.#admin.run(`ALTER DATABASE ${name(tenant.name)} ALLOW_CONNECTIONS true`)
    }
  }

  async #install({ tenant, connections, blocked }: Copy, clone: string): Promise<void> {
    const { storageBytes, emptySize, user } = tenant
    await this.#discard(tenant.name)
    await this.#admin.run(
      `ALTER DATABASE ${name(clone)} RENAME TO ${name(tenant.name)};
       REVOKE CONNECT, TEMPORARY ON DATABASE ${name(tenant.name)} FROM PUBLIC;
       ${limitsCommentSql(tenant.name, storageBytes, emptySize)};
       ALTER ROLE ${name(user)} LOGIN`,
    )
    this.#remainingOwners.delete(user)
    const found = await findTenant(this.#admin, tenant.name)
    await setTenantLimits(this.#admin, found, { storageBytes, connections })
    if (blocked) await lockOut(this.#admin, found)
    await enforceStorage(this.#admin, found)
    await this.#admin.run(`ALTER DATABASE ${name(tenant.name)} ALLOW_CONNECTIONS true`)
  }

  /**
   * Clones a database into one that allows no connections. The clone belongs to the owner of the database, so
   * the owner cannot be dropped while the clone exists.
   */
  async #clone(template: string, owner: string): Promise<string> {
    const clone = `understudy_copy_${this.#ids.hex(12)}`
    await this.#admin.run(
      `CREATE DATABASE ${name(clone)} TEMPLATE ${name(template)} OWNER ${name(owner)} ALLOW_CONNECTIONS false`,
    )
    return clone
  }

  async #discard(database: string): Promise<void> {
    await this.#admin.run(`DROP DATABASE IF EXISTS ${name(database)} WITH (FORCE)`)
  }
}
