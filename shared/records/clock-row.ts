import { machineNow } from '../clock/clock.js'
import type { Standing, Target } from '../clock/driver.js'
import type { ClockMode } from '../clock/spec.js'
import { statement } from './statement.js'

/** The clock as the store has it, and the server's own time when it was read. */
export interface ClockRow {
  version: number
  mode: ClockMode
  /** Of a manual one where it stands, of a real one what it is ahead of the server: in milliseconds. */
  position: number
  walk: boolean
  began_as: ClockMode
  began_at: number
  /** The server's time, in milliseconds since the epoch. */
  server: number
}

const SERVER = '(extract(epoch FROM clock_timestamp()) * 1000)::float8 AS server'
const ROW = `SELECT version, mode, position, walk, began_as, began_at, ${SERVER} FROM clock`

export const CLOCK = statement(ROW)
export const CLOCK_LOCKED = statement(`${ROW} FOR UPDATE`)
export const BEGIN_CLOCK = statement(
  'INSERT INTO clock (mode, position, began_as, began_at) VALUES ($1, $2, $1, $2) ON CONFLICT DO NOTHING',
)
export const MOVE_CLOCK = statement('UPDATE clock SET version = $1, mode = $2, position = $3, walk = $4')
/** $2: NULL if it follows no more. A walk that took long is told of behind a later one, and takes nothing back. */
export const REACHED = statement(
  'UPDATE replicas SET clock_version = CASE WHEN $2::bigint IS NULL THEN NULL ELSE greatest(clock_version, $2) END WHERE number = $1',
)
export const BEHIND = statement(
  'SELECT r.number, r.instance FROM live_replicas JOIN replicas r USING (number) WHERE r.clock_version < $1 ORDER BY 1',
)

/** What the row's clock showed when it was read. */
export function presentOf({ mode, position, server }: ClockRow): { mode: ClockMode; now: number } {
  return { mode, now: mode === 'manual' ? position : server + position }
}

/** The row once the clock has been moved. */
export function moved(row: ClockRow, { mode, now, walk }: Target): ClockRow {
  const position = mode === 'manual' ? Math.floor(now) : now - row.server
  return { ...row, version: row.version + 1, mode, position, walk }
}

/** @param difference what the server's time is ahead of this machine's */
export function standingOf({ mode, position }: ClockRow, difference: number): Standing {
  return mode === 'manual' ? { mode, now: position } : { mode, ahead: position + difference }
}

/** What the server's time is ahead of this machine's, in milliseconds, and by how much that may be wrong. */
export interface Difference {
  readonly ms: number
  readonly error: number
}

/** Asks for the server's time, and reckons with how long the answer took. */
export async function measured<Row extends { server: number }>(
  ask: () => Promise<Row>,
): Promise<{ row: Row; difference: Difference }> {
  const sent = machineNow()
  const row = await ask()
  const error = (machineNow() - sent) / 2
  return { row, difference: { ms: row.server - (sent + error), error } }
}
