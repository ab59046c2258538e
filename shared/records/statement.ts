import { createHash } from 'node:crypto'

/** A statement that each connection parses once. */
export interface Statement {
  readonly name: string
  readonly text: string
  /** How long the client waits for the answer, in milliseconds. Default: that of the connection. */
  readonly query_timeout?: number
}

/** A prepared statement. Parameters are `$1`, `$2` …; tables are found on the search path, which is the store's schema. */
export function statement(text: string): Statement {
  // PostgreSQL cuts names at 63 bytes, so the name is a hash of the text.
  return { name: createHash('sha256').update(text).digest('base64url'), text }
}
