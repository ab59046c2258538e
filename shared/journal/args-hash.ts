import { createHash } from 'node:crypto'

/**
 * `sha256:` and the hex digest of `value` as compact JSON with sorted keys.
 *
 * `<`, `>`, `&` and the two line separators are written as Go's encoder writes them, so that the hash equals
 * the one in a gateway's own log (facts: Intercept's `args_hash`) and the two logs can be joined.
 */
export function argsHash(value: unknown): string {
  return `sha256:${createHash('sha256').update(canonicalJson(value)).digest('hex')}`
}

const GO_ESCAPED = /[<>&\u2028\u2029]/g

function canonicalJson(value: unknown): string {
  const text = JSON.stringify(value ?? {}, (_key, inner: unknown) => sorted(inner))
  return text.replace(GO_ESCAPED, char => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

function sorted(value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}
