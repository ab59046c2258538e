import * as z from 'zod'
import { Refusal } from '../../../../shared/errors.js'
import type { DatabaseLimits } from '../provider.js'
import { type Admin, name, text } from './admin.js'

/**
 * Prefix of the comments that mark our databases. A comment stores the properties that the server has no
 * place for.
 */
const MARK = 'mcp-understudy '
const storedLimits = z.object({ storageBytes: z.number().nullable(), emptySize: z.number() })

/** A database that was handed out. Read from the server each time, because other instances may change it. */
export interface Tenant {
  name: string
  user: string
  storageBytes: number | null
  emptySize: number
  size: number
  /** The database is read-only because of its size. */
  full: boolean
}

/** Returns SQL that stores the limits in the comment of a database. */
export function limitsCommentSql(database: string, storageBytes: number | null, emptySize: number): string {
  const comment = MARK + JSON.stringify({ storageBytes, emptySize })
  return `COMMENT ON DATABASE ${name(database)} IS ${text(comment)}`
}

/** @param only the name of a database, or undefined for all */
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

/** @throws Refusal `unknown_database` */
export async function findTenant(admin: Admin, database: string): Promise<Tenant> {
  const [tenant] = await findTenants(admin, database)
  if (tenant === undefined)
    throw new Refusal('unknown_database', `there is no database ${JSON.stringify(database)}`)
  return tenant
}

/** Changes the limits of a database. */
export async function setTenantLimits(admin: Admin, tenant: Tenant, limits: DatabaseLimits): Promise<void> {
  await admin.run(
    `${lockSql(tenant)};
     ALTER ROLE ${name(tenant.user)} CONNECTION LIMIT ${limits.connections};
     ${limitsCommentSql(tenant.name, limits.storageBytes, tenant.emptySize)}`,
  )
}

/**
 * Makes a database read-only if its size exceeds its storage, and writable again if it does not.
 *
 * PostgreSQL has no quota. This one is soft: it acts when sizes are checked, and writes fail with 25006. An
 * owner can still ask for a read-write transaction, which is also the way to free space.
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
  // A session reads the setting at its start.
  await endSessions(admin, tenant)
}

/** Takes the owner's right to connect to its database. */
export async function lockOut(admin: Admin, tenant: Tenant): Promise<void> {
  // An administrator without superuser rights needs CONNECT to read the size, and has had it through the
  // owner.
  await admin.run(
    `${lockSql(tenant)};
     GRANT CONNECT ON DATABASE ${name(tenant.name)} TO CURRENT_USER;
     REVOKE CONNECT ON DATABASE ${name(tenant.name)} FROM PUBLIC, ${name(tenant.user)}`,
  )
  await endSessions(admin, tenant)
}

/**
 * Returns SQL that takes the advisory lock of a database. It is sent in one message with the SQL that changes
 * the database or its owner. Without it, PostgreSQL fails the second of two changes with "tuple concurrently
 * updated".
 */
function lockSql({ name: database }: Tenant): string {
  return `SELECT pg_advisory_xact_lock(hashtextextended(${text(`understudy ${database}`)}, 0))`
}

/** Returns SQL for the comment that finds the owner of a database after the database is gone. */
export function ownerCommentSql(user: string, database: string): string {
  return `COMMENT ON ROLE ${name(user)} IS ${text(MARK + database)}`
}

/**
 * Returns the owner of a dropped database. It is left if the process that dropped the database was ended in
 * between.
 */
export async function findOwner(admin: Admin, database: string): Promise<string | undefined> {
  const [role] = await admin.run(
    `SELECT rolname FROM pg_roles WHERE rolname ~ '^usr_[0-9a-f]{12}$' AND shobj_description(oid, 'pg_authid') = $1`,
    [MARK + database],
  )
  return role && String(role.rolname)
}

/** Ends the sessions of a database. */
export async function endSessions(admin: Admin, tenant: Tenant): Promise<void> {
  await admin.run('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [tenant.name])
}
