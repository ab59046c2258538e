import { PGlite } from '@electric-sql/pglite'

/**
 * The engine's command line.
 *
 * `shared_buffers` of 1 MB instead of 128 MB is what makes ten databases fit in memory (140 MB less each, measured);
 * the log is kept small since it is checkpointed by the session and does not count as the user's data.
 *
 * @param statementTimeoutMs shown to the user; the engine itself has no timers that fire
 */
export function startParameters(statementTimeoutMs: number): string[] {
  const settings = {
    shared_buffers: '1MB',
    max_wal_size: '8MB',
    min_wal_size: '2MB',
    // PostgreSQL's own default; the engine's differs.
    search_path: '"$user", public',
    statement_timeout: String(statementTimeoutMs),
  }
  return [...PGlite.defaultStartParams, ...Object.entries(settings).flatMap(([k, v]) => ['-c', `${k}=${v}`])]
}
