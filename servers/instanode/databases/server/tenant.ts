import * as z from 'zod'
import { Refusal } from '../../../../shared/errors.js'
import type { DatabaseLimits } from '../provider.js'
import { type Admin, name, text } from './admin.js'

/**
 * Prefix of the SQL comments by which this project recognizes its databases and roles. The comments store
 * properties that PostgreSQL has no place for.
 */
const MARK = 'mcp-understudy '
const storedLimits = z.object({ storageBytes: z.number().nullable(), emptySize: z.number() })

/**
 * A database of a resource. It is read from the server for each operation, because other processes may change
 * it.
 */
export interface Tenant {
  name: string
  user: string
  /** The storage limit in bytes. Null: no limit. */
  storageBytes: number | null
  /** Size of the database in bytes when it was new and empty. */
  emptySize: number
  /** Size of the database now, in bytes. */
  size: number
  /** True while the database is read-only because of its size. */
  full: boolean
}

/**
 * Returns SQL that stores the storage limit and the empty size in the comment of a database. Both in bytes.
 */
export function limitsCommentSql(database: string, storageBytes: number | null, emptySize: number): string {
  const comment = MARK + JSON.stringify({ storageBytes, emptySize })
  return `COMMENT ON DATABASE ${name(database)} IS ${text(comment)}`
}

/** Finds the databases of this project on the server. @param only the name of one database. Default: all */
export async function findTenants(admin: Admin, only?: string): Promise<Tenant[]> {
  const rows = await admin.run(
    `SELECT d.datname, r.rolname, pg_database_size(d.oid)::float8 AS size,
            shobj_description(d.oid, 'pg_database') AS comment,
            EXISTS (SELECT FROM pg_db_role_setting s WHERE s.setdatabase = d.oid AND s.setrole = r.oid
                    AND 'default_transaction_read_only=on' = ANY (s.setconfig)) AS read_only
     FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba
     WHERE d.datname ~ '^db_[0-9a-f]{12}$' AND ($1::text IS NULL OR d.datname = $1)`,
    [only ?? null],
  )
  return rows.flatMap(row => {
    const comment = String(row.comment ?? '')
    if (!comment.startsWith(MARK)) return []
    const { storageBytes, emptySize } = storedLimits.parse(JSON.parse(comment.slice(MARK.length)))
    return {
      name: String(row.datname),
      user: String(row.rolname),
      storageBytes,
      emptySize,
      size: Number(row.size),
      full: row.read_only === true,
    }
  })
}

/** Finds one database of this project on the server. @throws Refusal `unknown_database` */
export async function findTenant(admin: Admin, database: string): Promise<Tenant> {
  const [tenant] = await findTenants(admin, database)
  if (tenant === undefined)
    throw new Refusal('unknown_database', `there is no database ${JSON.stringify(database)}`)
  return tenant
}

/**
 * Stores the limits of a database, and applies the limit of connections. {@link enforceStorage} applies the
 * storage limit.
 */
export async function setTenantLimits(admin: Admin, tenant: Tenant, limits: DatabaseLimits): Promise<void> {
  await admin.run(
    `${lockSql(tenant)};
     ALTER ROLE ${name(tenant.user)} CONNECTION LIMIT ${limits.connections};
     ${limitsCommentSql(tenant.name, limits.storageBytes, tenant.emptySize)}`,
  )
}

/**
 * Makes a database read-only if it is larger than its storage limit, and writable again if it is not.
 *
 * PostgreSQL has no quotas, so this limit is soft. It acts when the size is checked, and writes then fail
 * with 25006. The owner can still start a read-write transaction, for example to free space.
 */
export async function enforceStorage(admin: Admin, tenant: Tenant): Promise<void> {
  const full = tenant.storageBytes !== null && tenant.size - tenant.emptySize > tenant.storageBytes
  if (full === tenant.full) return
  const setting = `ALTER ROLE ${name(tenant.user)} IN DATABASE ${name(tenant.name)}`
  if (!full) {
    await admin.run(`${lockSql(tenant)}; ${setting} RESET default_transaction_read_only`)
    return
  }
  await admin.run(`${lockSql(tenant)}; ${setting} SET default_transaction_read_only = on`)
  // A session reads the setting only at its start, so the open sessions must end.
  await endSessions(admin, tenant)
}

/** Locks the owner of a database out: revokes the right to connect and ends the open sessions. */
export async function lockOut(admin: Admin, tenant: Tenant): Promise<void> {
  // An administrator that is not a superuser needs CONNECT to read
  // the size. It had the right as a member of the owner's role.
  await admin.run(
    `${lockSql(tenant)};
     GRANT CONNECT ON DATABASE ${name(tenant.name)} TO CURRENT_USER;
     REVOKE CONNECT ON DATABASE ${name(tenant.name)} FROM PUBLIC, ${name(tenant.user)}`,
  )
  await endSessions(admin, tenant)
}

/**
 * Returns SQL that takes the advisory lock of a database until the end of the transaction. Send it in one
 * message with SQL that changes the database or its owner. Without the lock, two changes at once fail with
 * "tuple concurrently updated".
 */
function lockSql({ name: database }: Tenant): string {
  return `SELECT pg_advisory_xact_lock(hashtextextended(${text(`understudy ${database}`)}, 0))`
}

/**
 * Returns SQL that stores the name of the database in the comment of its owner. {@link findOwner} reads the
 * comment.
 */
export function ownerCommentSql(user: string, database: string): string {
  return `COMMENT ON ROLE ${name(user)} IS ${text(MARK + database)}`
}

/**
 * Returns the owner of a database that was already dropped. Such an owner remains if the process is killed
 * between dropping the database and dropping the owner.
 */
export async function findOwner(admin: Admin, database: string): Promise<string | undefined> {
  const [role] = await admin.run(
    `SELECT rolname FROM pg_roles WHERE rolname ~ '^usr_[0-9a-f]{12}$' AND shobj_description(oid, 'pg_authid') = $1`,
    [MARK + database],
  )
  return role && String(role.rolname)
}

/** Ends all sessions of a database, with 57P01. */
export async function endSessions(admin: Admin, tenant: Tenant): Promise<void> {
  await admin.run('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [tenant.name])
}
