import { createHash } from 'node:crypto'
import { statement } from '../../../../shared/records/statement.js'
import { type Account, type Delivery, nextVisit, type Plan, type Resource } from '../../domain/model.js'

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

const RESOURCE_COLUMNS = [
  ...['token', 'id', 'type', 'name', 'tier', 'status', 'owner', 'subnet', 'url'],
  ...['created_at', 'expires_at', 'reap_at', 'measure_at'],
].join(', ')

const SELECT_RESOURCE = `SELECT ${RESOURCE_COLUMNS} FROM instanode_resources`

/** With {@link resourceValues}. Once more is fine: whoever does not know whether it was kept does it again. */
export const INSERT_RESOURCE = statement(`
  INSERT INTO instanode_resources (${RESOURCE_COLUMNS}, next_visit)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
  ON CONFLICT (token) DO NOTHING`)
/** Likewise. */
export const UPDATE_RESOURCE = statement(`
  UPDATE instanode_resources
  SET (${RESOURCE_COLUMNS}, next_visit) = ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
  WHERE token = $1`)
export const FIND_RESOURCE = statement(`${SELECT_RESOURCE} WHERE token = $1`)
export const LOCK_RESOURCE = statement(`${SELECT_RESOURCE} WHERE token = $1 FOR UPDATE`)
export const RESOURCES = statement(`${SELECT_RESOURCE} ORDER BY position`)
export const OWNED_BY = statement(
  `${SELECT_RESOURCE} WHERE owner = $1 ORDER BY created_at DESC, position DESC`,
)
/** Subnet, type. */
export const MADE_FROM = statement(
  `${SELECT_RESOURCE} WHERE subnet = $1 AND type = $2 ORDER BY position DESC`,
)
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

export interface AccountRow {
  id: string
  user_id: string
  plan: Plan
  fixed_token: string | null
}

const ACCOUNT_COLUMNS = 'id, user_id, plan, fixed_token'

/** With {@link accountValues}. */
export const SAVE_ACCOUNT = statement(`
  INSERT INTO instanode_accounts (${ACCOUNT_COLUMNS}) VALUES ($1, $2, $3, $4)
  ON CONFLICT (id) DO UPDATE
    SET user_id = excluded.user_id, plan = excluded.plan, fixed_token = excluded.fixed_token`)
export const ACCOUNTS = statement(`SELECT ${ACCOUNT_COLUMNS} FROM instanode_accounts ORDER BY position`)
export const ACCOUNT_BY_TOKEN = statement(
  `SELECT ${ACCOUNT_COLUMNS} FROM instanode_accounts WHERE fixed_token = $1`,
)
export const ACCOUNT_BY_USER = statement(
  `SELECT ${ACCOUNT_COLUMNS} FROM instanode_accounts WHERE user_id = $1`,
)
export const CLEAR_ACCOUNTS = statement('DELETE FROM instanode_accounts')

export function accountOf({ id, user_id, plan, fixed_token }: AccountRow): Account {
  return { id, userId: user_id, plan, fixedToken: fixed_token }
}

export function accountValues({ id, userId, plan, fixedToken }: Account): unknown[] {
  return [id, userId, plan, fixedToken]
}

export interface DeliveryRow {
  token: string
  id: string
  received_at: number
  head: Pick<Delivery, 'method' | 'path' | 'query' | 'rawHeaders'>
  body: Buffer
}

const SELECT_DELIVERY = 'SELECT token, id, received_at, head, body FROM instanode_deliveries'

/** One delivery to a receiver at a time, and none once it is over. */
export const LOCK_RECEIVER = statement(
  `SELECT 1 FROM instanode_resources WHERE token = $1 AND status = 'active' FOR NO KEY UPDATE`,
)
/** With {@link deliveryValues}. */
export const ADD_DELIVERY = statement(
  'INSERT INTO instanode_deliveries (token, id, received_at, head, body) VALUES ($1, $2, $3, $4, $5)',
)
/** Token, how many to keep. */
export const TRIM_DELIVERIES = statement(`
  DELETE FROM instanode_deliveries WHERE token = $1 AND number <= (
    SELECT number FROM instanode_deliveries WHERE token = $1 ORDER BY number DESC OFFSET $2 LIMIT 1
  )`)
export const DELIVERIES_OF = statement(`${SELECT_DELIVERY} WHERE token = $1 ORDER BY number DESC`)
/** Token, id. */
export const FIND_DELIVERY = statement(`${SELECT_DELIVERY} WHERE token = $1 AND id = $2`)
export const FORGET_DELIVERIES = statement('DELETE FROM instanode_deliveries WHERE token = $1')
export const DELIVERIES = statement(`${SELECT_DELIVERY} ORDER BY token, number`)
export const CLEAR_DELIVERIES = statement('DELETE FROM instanode_deliveries')

export function deliveryOf({ id, received_at, head, body }: DeliveryRow): Delivery {
  const { method, path, query, rawHeaders } = head
  return { id, method, path, query, rawHeaders, body, receivedAt: received_at }
}

export function deliveryValues(token: string, delivery: Delivery): unknown[] {
  const { id, method, path, query, rawHeaders, body, receivedAt } = delivery
  return [token, id, receivedAt, JSON.stringify({ method, path, query, rawHeaders }), body]
}
