import { statement } from '../../../../shared/records/statement.js'
import type { Delivery } from '../../domain/model.js'

export interface DeliveryRow {
  token: string
  id: string
  received_at: number
  head: Pick<Delivery, 'method' | 'path' | 'query' | 'rawHeaders'>
  body: Buffer
}

const SELECT = 'SELECT token, id, received_at, head, body FROM instanode_deliveries'

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
export const DELIVERIES_OF = statement(`${SELECT} WHERE token = $1 ORDER BY number DESC`)
/** Token, id. */
export const FIND_DELIVERY = statement(`${SELECT} WHERE token = $1 AND id = $2`)
export const FORGET_DELIVERIES = statement('DELETE FROM instanode_deliveries WHERE token = $1')
export const DELIVERIES = statement(`${SELECT} ORDER BY token, number`)
export const CLEAR_DELIVERIES = statement('DELETE FROM instanode_deliveries')

export function deliveryOf({ id, received_at, head, body }: DeliveryRow): Delivery {
  const { method, path, query, rawHeaders } = head
  return { id, method, path, query, rawHeaders, body, receivedAt: received_at }
}

export function deliveryValues(token: string, delivery: Delivery): unknown[] {
  const { id, method, path, query, rawHeaders, body, receivedAt } = delivery
  return [token, id, receivedAt, JSON.stringify({ method, path, query, rawHeaders }), body]
}
