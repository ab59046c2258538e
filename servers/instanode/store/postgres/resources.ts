import { createHash } from 'node:crypto'
import { statement } from '../../../../shared/records/statement.js'
import { nextVisit, type Resource } from '../../domain/model.js'

/** Characters of a subnet that are its own mark. What a proxy names instead of an address may be of any length. */
const MARK_CHARS = 64

/** Day, mark, subnet, cap. Counts and returns the count, unless that is the cap already. */
export const COUNT_PROVISION = statement(`
  INSERT INTO instanode_provisions AS provisions (day, mark, subnet, count)
  SELECT $1, $2, $3, 1 WHERE $4::int > 0
  ON CONFLICT (day, mark) DO UPDATE SET count = provisions.count + 1 WHERE provisions.count < $4
  RETURNING count`)

/** Whoever clears up at the same time has the rows it has locked. */
export const FORGET_PROVISIONS = statement(`
  DELETE FROM instanode_provisions WHERE (day, mark) IN (
    SELECT day, mark FROM instanode_provisions WHERE day < $1 FOR UPDATE SKIP LOCKED
  )`)

export const PROVISIONS = statement(
  'SELECT day, subnet, count FROM instanode_provisions ORDER BY day, subnet',
)

/** Day, mark, subnet, count. */
export const ADD_PROVISIONS = statement(
  'INSERT INTO instanode_provisions (day, mark, subnet, count) VALUES ($1, $2, $3, $4)',
)

export const CLEAR_PROVISIONS = statement('DELETE FROM instanode_provisions')

/** What a subnet is found by. */
export function markOf(subnet: string): string {
  if (subnet.length <= MARK_CHARS) return subnet
  return `sha256 ${createHash('sha256').update(subnet).digest('hex')}`
}

/** @param day `yyyy-mm-dd` */
export function dayBefore(day: string): string {
  const date = new Date(`${day}T00:00:00Z`)
  date.setUTCDate(date.getUTCDate() - 1)
  return date.toISOString().slice(0, 'yyyy-mm-dd'.length)
}

export interface ResourceRow {
  token: string
  id: string
  type: Resource['type']
  name: string
  tier: Resource['tier']
  status: Resource['status']
  owner: string | null
  subnet: string
  url: string
  created_at: number
  expires_at: number | null
  reap_at: number | null
  measure_at: number | null
}

const COLUMNS = [
  ...['token', 'id', 'type', 'name', 'tier', 'status', 'owner', 'subnet', 'url'],
  ...['created_at', 'expires_at', 'reap_at', 'measure_at'],
].join(', ')

const SELECT = `SELECT ${COLUMNS} FROM instanode_resources`

/** With {@link resourceValues}. Once more is fine: whoever does not know whether it was kept does it again. */
export const INSERT_RESOURCE = statement(`
  INSERT INTO instanode_resources (${COLUMNS}, next_visit)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
  ON CONFLICT (token) DO NOTHING`)
/** Likewise. */
export const UPDATE_RESOURCE = statement(`
  UPDATE instanode_resources
  SET (${COLUMNS}, next_visit) = ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
  WHERE token = $1`)
export const FIND_RESOURCE = statement(`${SELECT} WHERE token = $1`)
export const LOCK_RESOURCE = statement(`${SELECT} WHERE token = $1 FOR UPDATE`)
export const RESOURCES = statement(`${SELECT} ORDER BY position`)
export const OWNED_BY = statement(`${SELECT} WHERE owner = $1 ORDER BY created_at DESC, position DESC`)
/** Subnet, type. */
export const MADE_FROM = statement(`${SELECT} WHERE subnet = $1 AND type = $2 ORDER BY position DESC`)
export const DUE = statement(
  'SELECT token FROM instanode_resources WHERE next_visit <= $1 ORDER BY next_visit, position',
)
export const NEXT_DUE = statement('SELECT min(next_visit) AS next FROM instanode_resources')
export const CLEAR_RESOURCES = statement('DELETE FROM instanode_resources')

export function resourceOf(row: ResourceRow): Resource {
  const { token, id, type, name, tier, status, owner, subnet, url } = row
  return {
    id,
    token,
    type,
    name,
    tier,
    status,
    owner,
    subnet,
    url,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    reapAt: row.reap_at,
    measureAt: row.measure_at,
  }
}

export function resourceValues(resource: Resource): unknown[] {
  const { token, id, type, name, tier, status, owner, subnet, url } = resource
  const { createdAt, expiresAt, reapAt, measureAt } = resource
  return [
    ...[token, id, type, name, tier, status, owner, subnet, url],
    ...[createdAt, expiresAt, reapAt, measureAt, nextVisit(resource)],
  ]
}
