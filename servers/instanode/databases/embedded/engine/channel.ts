/** What the main thread and an engine's worker say to each other. */

/** Cells of the shared `Int32Array`: the only way to reach a worker that is busy inside Postgres. */
export const CELL = {
  /** Not 0: give up the running statement. */
  cancel: 0,
  /** Bytes of output posted and not yet taken by the client's socket. */
  inFlight: 1,
  /** Counts what was fed to a statement that waits for input. */
  fed: 2,
} as const
export const CELLS = 3

/** How much output may be under way before Postgres is held back until the client has read some. */
export const MOST_IN_FLIGHT = 4 * 1024 * 1024

/** What a worker is started with. */
export interface EngineStart {
  /** Absolute path of the data directory. */
  directory: string
  /** The database to open in it. */
  database: string
  /** A packed template to fill the directory from, first. */
  template?: string
  wasm: WebAssembly.Module
  cells: SharedArrayBuffer
  /** Shown by `SHOW statement_timeout`; kept by the session, which has timers. */
  statementTimeoutMs: number
}

/** To the worker. */
export type EngineOrder =
  /** Frontend messages, whole ones; `most` is how large the database's files may become meanwhile, in bytes. */
  | { kind: 'run'; bytes: Uint8Array; most: number }
  /** More input for a statement that reads from its client (COPY). */
  | { kind: 'feed'; bytes: Uint8Array }
  | { kind: 'end' }

/** How an engine stands after a run. */
export interface EngineState {
  /** Bytes of the database's files, at most: shrinking shows late. */
  size: number
  /** Bytes written to the write-ahead log since the engine opened. */
  logged: number
  /** Bytes written to the database's files since the engine opened. */
  written: number
  /** Bytes of its linear memory, which only grows. */
  memory: number
}

/** From the worker. */
export type EngineReport =
  /** Open; what it introduced itself with came before, as output. */
  | { kind: 'ready'; state: EngineState }
  /** Backend messages, cut anywhere. */
  | { kind: 'output'; bytes: Uint8Array }
  /** A statement waits for input. */
  | { kind: 'hungry' }
  /** All that was given has been read and answered. */
  | { kind: 'idle'; state: EngineState }
  | { kind: 'ended' }
