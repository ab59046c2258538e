import { Refusal } from '../../../../shared/errors.js'
import type { IdSource } from '../../../../shared/ids.js'
import { type Admin, name } from './admin.js'
import {
  endSessions,
  findTenant,
  findTenants,
  judge,
  limit,
  lockOut,
  remember,
  type Tenant,
} from './tenant.js'

/** A copy of one database, with what the server does not keep in it. */
interface Copy {
  /** The database it is in. */
  readonly place: string
  readonly tenant: Tenant
  readonly connections: number
  readonly blocked: boolean
}

/** PostgreSQL's code for a role that something still belongs to. */
const STILL_OWNS = '2BP01'

/**
 * Copies of databases on the server: databases themselves, which nobody may connect to. A database is copied as a template,
 * which nobody may be connected to either, so its sessions are ended (57P01).
 */
export class ServerCopies {
  readonly #admin: Admin
  readonly #ids: IdSource
  readonly #kept = new Map<string, readonly Copy[]>()
  /** Owners whose database is gone, and of whom a copy is left. */
  readonly #owners = new Set<string>()

  constructor(admin: Admin, ids: IdSource) {
    this.#admin = admin
    this.#ids = ids
  }

  /** Keeps copies of those databases that there are. @returns under what, and of which */
  async keep(names: readonly string[]): Promise<{ id: string; names: string[] }> {
    const id = this.#ids.hex(12)
    const copies: Copy[] = []
    this.#kept.set(id, copies)
    try {
      for (const wanted of names) {
        const [tenant] = await findTenants(this.#admin, wanted)
        if (tenant !== undefined) copies.push(await this.#copy(tenant))
      }
    } catch (error) {
      await this.forget(id)
      throw error
    }
    return { id, names: copies.map(({ tenant }) => tenant.name) }
  }

  /** @throws Refusal `unknown_copies`; whatever a copy failed with, nothing has changed then */
  async putBack(id: string): Promise<void> {
    const copies = this.#kept.get(id)
    if (copies === undefined) {
      throw new Refusal('unknown_copies', `there are no copies of databases ${JSON.stringify(id)}`)
    }
    const fresh: { copy: Copy; place: string }[] = []
    try {
      for (const copy of copies) fresh.push({ copy, place: await this.#clone(copy.place, copy.tenant.user) })
    } catch (error) {
      for (const { place } of fresh) await this.#discard(place)
      throw error
    }
    for (const { copy, place } of fresh) await this.#install(copy, place)
  }

  async forget(id: string): Promise<void> {
    const copies = this.#kept.get(id) ?? []
    this.#kept.delete(id)
    for (const { place } of copies) await this.#discard(place)
    // The database may have been dropped by another instance, which had to leave its owner.
    for (const user of new Set([...this.#owners, ...copies.map(({ tenant }) => tenant.user)])) {
      if (!(await this.#owns(user))) await this.dropOwner(user)
    }
  }

  async forgetAll(): Promise<void> {
    for (const id of [...this.#kept.keys()]) await this.forget(id)
  }

  /** Drops a role, as soon as no copy of what it owned is left. */
  async dropOwner(user: string): Promise<void> {
    try {
      await this.#admin.run(`DROP ROLE IF EXISTS ${name(user)}`)
      this.#owners.delete(user)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === STILL_OWNS)) throw error
      this.#owners.add(user)
    }
  }

  async #owns(user: string): Promise<boolean> {
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
      const place = await this.#clone(tenant.name, tenant.user)
      return { place, tenant, connections: Number(row?.rolconnlimit), blocked: row?.admitted !== true }
    } finally {
      await this.#admin.run(`ALTER DATABASE ${name(tenant.name)} ALLOW_CONNECTIONS true`)
    }
  }

  async #install({ tenant, connections, blocked }: Copy, place: string): Promise<void> {
    const { storageBytes, emptySize, user } = tenant
    await this.#discard(tenant.name)
    await this.#admin.run(
      `ALTER DATABASE ${name(place)} RENAME TO ${name(tenant.name)};
       REVOKE CONNECT, TEMPORARY ON DATABASE ${name(tenant.name)} FROM PUBLIC;
       ${remember(tenant.name, storageBytes, emptySize)};
       ALTER ROLE ${name(user)} LOGIN`,
    )
    this.#owners.delete(user)
    const found = await findTenant(this.#admin, tenant.name)
    await limit(this.#admin, found, { storageBytes, connections })
    if (blocked) await lockOut(this.#admin, found)
    await judge(this.#admin, found)
    await this.#admin.run(`ALTER DATABASE ${name(tenant.name)} ALLOW_CONNECTIONS true`)
  }

  /** Nobody may connect to the clone. It belongs to the owner, or the owner could be dropped while it is there. */
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
