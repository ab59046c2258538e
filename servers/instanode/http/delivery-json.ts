import { isUtf8 } from 'node:buffer'
import type { Delivery } from '../domain/delivery.js'

/** A delivery as a receiver's log shows it. */
export interface DeliveryEntry {
  body: string
  /** How `body` is to be read: a body that is no UTF-8 is kept whole this way. */
  encoding: 'utf8' | 'base64'
  headers: Record<string, string>
  id: string
  method: string
  path: string
  query: string
  /** RFC 3339, UTC, whole seconds. */
  received_at: string
}

export function deliveryEntry({ body, receivedAt, rawHeaders, ...rest }: Delivery): DeliveryEntry {
  const { id, method, path, query } = rest
  const encoding = isUtf8(body) ? 'utf8' : 'base64'
  return {
    body: body.toString(encoding),
    encoding,
    headers: canonicalHeaders(rawHeaders),
    ...{ id, method, path, query },
    received_at: new Date(receivedAt).toISOString().replace(/\.\d+Z$/, 'Z'),
  }
}

/** Headers under the spelling Go gives them, repeated ones joined; without Host, which Go keeps elsewhere. */
function canonicalHeaders(raw: readonly string[]): Record<string, string> {
  const headers = new Map<string, string>()
  for (let at = 0; at < raw.length; at += 2) {
    const name = canonical(raw[at] ?? '')
    const value = raw[at + 1] ?? ''
    const before = headers.get(name)
    if (name !== 'Host') headers.set(name, before === undefined ? value : `${before}, ${value}`)
  }
  return Object.fromEntries(headers)
}

/** `X-Request-Id` of `x-REQUEST-id`. */
function canonical(name: string): string {
  return name.toLowerCase().replace(/(^|-)[a-z]/g, start => start.toUpperCase())
}
