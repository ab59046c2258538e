import type { IdSource } from '../../../shared/ids.js'
import type { DatabaseSpec } from '../databases/provider.js'

/** The name of a resource's database: its token's first 12 hex digits tell which. */
export function databaseName(token: string): string {
  return `db_${mark(token)}`
}

/** A new database's name, owner and password (96 bits). The password is kept nowhere but in the URL. */
export function databaseIdentity(
  token: string,
  ids: IdSource,
): Pick<DatabaseSpec, 'name' | 'user' | 'password'> {
  return { name: databaseName(token), user: `usr_${mark(token)}`, password: ids.hex(24) }
}

function mark(token: string): string {
  return token.replaceAll('-', '').slice(0, 12)
}
