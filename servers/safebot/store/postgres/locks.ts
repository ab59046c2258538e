import { statement } from '../../../../shared/records/statement.js'

/** Nobody else is in the room until the transaction ends, and nobody loads another state. */
export const LOCK_ROOM = statement(`
  SELECT pg_advisory_xact_lock_shared(hashtextextended(current_schema() || ' safebot', 0)),
         pg_advisory_xact_lock(hashtextextended(current_schema() || ' room ' || $1, 0))`)

/** Nobody is in any room until the transaction ends. */
export const LOCK_ALL = statement(
  "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' safebot', 0))",
)

/** Nobody else counts the nonces of that owner until the transaction ends. */
export const LOCK_NONCES = statement(
  "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' nonces ' || $1 || ' ' || $2, 0))",
)
