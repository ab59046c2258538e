// The messages and the shared memory between the main thread and the worker thread of an engine.

/**
 * Indices into the shared `Int32Array`. A worker that is busy inside Postgres receives no messages, but can
 * read these cells.
 */
export const CELL = {
  /** 1 asks the running statement to stop. Otherwise 0. */
  cancel: 0,
  /** Bytes of output that the worker has posted and the main thread has not sent to the client yet. */
  inFlight: 1,
  /** Number of `feed` messages so far. A change wakes a worker that waits for input. */
  fed: 2,
} as const
export const CELLS = 3

/** Bytes of output in flight beyond which Postgres waits until the client has read some of them. */
export const MAX_IN_FLIGHT_BYTES = 4 * 1024 * 1024

/** The start options of a worker. */
export interface EngineStart {
  /** Absolute path of the data directory. */
  directory: string
  /** Name of the database to open. */
  database: string
  /** Path of a packed template. If it is given, the directory is created from the template first. */
  template?: string
  wasm: WebAssembly.Module
  cells: SharedArrayBuffer
  /**
   * The `statement_timeout` that Postgres shows, in milliseconds. The session enforces it, because the engine
   * has no timers.
   */
  statementTimeoutMs: number
}

/** The messages to the worker. */
export type EngineCommand =
  /**
   * Runs complete messages of a client. `maxBytes` is the largest size that the database's files may reach,
   * in bytes.
   */
  | { kind: 'run'; bytes: Uint8Array; maxBytes: number }
  /** Gives more input to a statement that reads from its client (COPY). */
  | { kind: 'feed'; bytes: Uint8Array }
  | { kind: 'end' }

/** Sizes of an engine after a run. */
export interface EngineState {
  /**
   * Upper bound of the size of the database's files, in bytes. It may stay too high for a while after files
   * have become smaller.
   */
  size: number
  /** Bytes written to the write-ahead log since the engine opened. */
  logged: number
  /** Bytes written to the database's files since the engine opened. */
  written: number
  /** Bytes of the engine's linear memory, which only grows. */
  memory: number
}

/** The messages from the worker. */
export type EngineEvent =
  /** The database is open. The values of the engine's parameters were sent before, as output. */
  | { kind: 'ready'; state: EngineState }
  /** Bytes of Postgres's answers. A message may be split between two events. */
  | { kind: 'output'; bytes: Uint8Array }
  /** A statement waits for input from its client. */
  | { kind: 'inputWanted' }
  /** The run has ended: all messages are answered. */
  | { kind: 'idle'; state: EngineState }
  | { kind: 'ended' }
