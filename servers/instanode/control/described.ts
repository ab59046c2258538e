import { maskHeaders } from '../../../shared/journal/mask.js'
import { iso } from '../../../shared/schemas/instant.js'
import { beginningOf } from '../../../shared/util/secrets.js'
import type { Delivery } from '../domain/delivery.js'
import type { InstanodeView } from '../view.js'

type DeliveryState = NonNullable<InstanodeView['resources'][number]['deliveries']>['latest'][number]

/** Characters of a body that a state shows. */
const SHOWN_BODY_CHARS = 2000

/** Enough to tell resources apart, too little to claim one. */
export function maskedToken(token: string): string {
  return `${token.slice(0, 8)}-[masked]`
}

/** The URL of a resource without its secrets: a database's password, a receiver's token. */
export function maskedUrl(url: string, token: string): string {
  return url.replace(token, maskedToken(token)).replace(/^(\w+:\/\/[^:/@]+:)[^@]+@/, '$1[masked]@')
}

/** @param hidden the token to mask in it; null: none */
export function describeDelivery(delivery: Delivery, hidden: string | null): DeliveryState {
  const { id, method, path, query, rawHeaders, body, receivedAt } = delivery
  return {
    id,
    method,
    path: hidden === null ? path : path.replaceAll(hidden, maskedToken(hidden)),
    query,
    headers: headersOf(rawHeaders, hidden === null),
    body: beginningOf(body.toString('utf8'), SHOWN_BODY_CHARS),
    bodyBytes: body.length,
    receivedAt: iso(receivedAt),
  }
}

/** Names in lower case; values of one name are joined. */
function headersOf(raw: readonly string[], secrets: boolean): Record<string, string> {
  const headers: Record<string, string> = {}
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at]?.toLowerCase() ?? ''
    const value = raw[at + 1] ?? ''
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`
  }
  if (secrets) return headers
  return Object.fromEntries(
    Object.entries(maskHeaders(headers)).map(([name, value]) => [name, String(value)]),
  )
}
