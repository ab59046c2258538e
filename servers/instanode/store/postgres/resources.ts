import { statement } from '../../../../shared/records/statement.js'
import { nextVisit, type Resource } from '../../domain/model.js'

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
    ...{ id, token, type, name, tier, status, owner, subnet, url },
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
