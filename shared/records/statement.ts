import { createHash } from 'node:crypto'

/** A prepared statement, which each connection parses only once. */
export interface Statement {
  readonly name: string
  readonly text: string
  /**
   * Maximum time that the client waits for the answer, in milliseconds. Default: the limit of the connection.
   */
  readonly query_timeout?: number
}

/**
 * Prepares a statement with the parameters `$1`, `$2` … Unqualified table names refer to the store's schema.
 */
export function statement(text: string): Statement {
  // The name is a hash of the text, because PostgreSQL cuts names at 63 bytes.
  return { name: createHash('sha256').update(text).digest('base64url'), text }
}
