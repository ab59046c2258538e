import type { Clock } from '../../../../shared/clock/clock.js'
import type { IdSource } from '../../../../shared/ids.js'
import type { SessionTimes } from './session/session.js'

export interface EmbeddedOptions {
  /** The machine's time: sockets, waits and hibernation go by it, whatever the instance's clock says. */
  machine: Clock
  /** Nonces, salts and directory names. */
  ids: IdSource
  /** Where databases live and stay; omitted, a temporary directory that is removed at close. */
  dataDirectory?: string
  /** Default `127.0.0.1`. */
  host?: string
  /** Default 0: any free one. */
  port?: number
  times?: Partial<SessionTimes>
  /** Default 512 MB. An engine starts with 128. */
  memoryLimit?: number
}

export const DEFAULT_TIMES: SessionTimes = {
  // Longer than any transaction of a request, shorter than the time-outs of clients and their tests.
  waitLimitMs: 5_000,
  // The real service's default for its roles.
  statementTimeoutMs: 30_000,
  // A cancel that is noticed at all is noticed within half a second (measured).
  cancelGraceMs: 3_000,
  // An engine opens in 300 ms, and on a busy machine in a few seconds: longer than that, it hangs.
  openingLimitMs: 60_000,
  // 500 MB, the most that a database may hold, are copied in seconds: here, too, a slow disk only takes longer.
  copyLimitMs: 300_000,
  idleMs: 500,
  // A reopened engine costs a client about 300 ms, a kept one 50 MB.
  hibernateAfterMs: 60_000,
}

export const DEFAULT_MEMORY_LIMIT = 512 * 1024 * 1024
