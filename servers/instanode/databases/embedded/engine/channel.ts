/** The messages between the main thread and the worker of an engine. */

/** Cells of the shared `Int32Array`: the only way to reach a worker that is busy inside Postgres. */
export const CELL = {
  /** Not 0: stop the running statement. */
  cancel: 0,
  /** Bytes of output that were posted and that the client's socket has not taken yet. */
  inFlight: 1,
  /** Counts the inputs that were sent to a waiting statement. */
  fed: 2,
} as const
export const CELLS = 3

/** Bytes of output in flight at which Postgres waits until the client has read some. */
export const MAX_IN_FLIGHT_BYTES = 4 * 1024 * 1024

/** The start options of a worker. */
export interface EngineStart {
  /** Absolute path of the data directory. */
  directory: string
  /** The database to open in it. */
  database: string
  /** A packed template. The directory is filled from it first. */
  template?: string
  wasm: WebAssembly.Module
  cells: SharedArrayBuffer
  /** Shown by `SHOW statement_timeout`. The session enforces it, because the engine has no timers. */
  statementTimeoutMs: number
}

/** Messages to the worker. */
export type EngineCommand =
  /**
   * Whole frontend messages. `maxBytes` is the largest size that the database's files may reach, in bytes.
   */
  | { kind: 'run'; bytes: Uint8Array; maxBytes: number }
  /** More input for a statement that reads from its client (COPY). */
  | { kind: 'feed'; bytes: Uint8Array }
  | { kind: 'end' }

/** The state of an engine after a run. */
export interface EngineState {
  /** Upper bound of the size of the database's files, in bytes. Shrinking shows late. */
  size: number
  /** Bytes written to the write-ahead log since the engine opened. */
  logged: number
  /** Bytes written to the database's files since the engine opened. */
  written: number
  /** Bytes of the engine's linear memory, which only grows. */
  memory: number
}

/** Messages from the worker. */
export type EngineEvent =
  /** The database is open. The engine's parameters have come before as output. */
  | { kind: 'ready'; state: EngineState }
  /** Backend messages, split at any byte. */
  | { kind: 'output'; bytes: Uint8Array }
  /** A statement waits for input. */
  | { kind: 'inputWanted' }
  /** All input has been read and answered. */
  | { kind: 'idle'; state: EngineState }
  | { kind: 'ended' }
