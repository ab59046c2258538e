import { createHash } from 'node:crypto'
import { goJson } from '../util/go-json.js'

/**
 * `sha256:` and the hex digest of `value` as compact JSON with sorted keys: equal to the one in a gateway's own log
 * (facts: Intercept's `args_hash`), so that the two logs can be joined.
 */
export function argsHash(value: unknown): string {
  return `sha256:${createHash('sha256')
    .update(goJson(value ?? {}))
    .digest('hex')}`
}
