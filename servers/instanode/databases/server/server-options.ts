import type { Clock } from '../../../../shared/clock/clock.js'
import type { IdSource } from '../../../../shared/ids.js'

export interface ServerOptions {
  /** A PostgreSQL 13 or later, and a role on it that may create databases and roles. */
  adminUrl: string
  /** The machine's time, for looking at sizes. */
  machine: Clock
  /** Salts and the names of spares. */
  ids: IdSource
  /** Leave databases and their owners behind at close. Default false. */
  keep?: boolean
  /** Whether it has its template in common with other instances on the server; it stays then. Default false: its own, which goes. */
  shared?: boolean
  /** Empty databases kept ready. Default 2; none where the template is shared, for one that is killed would leave them behind. */
  spares?: number
  /** How long making a database may take, in milliseconds. Default 60,000. */
  provisionLimitMs?: number
  /** How often sizes are looked at, in milliseconds. Default 2000. */
  quotaPollMs?: number
}
