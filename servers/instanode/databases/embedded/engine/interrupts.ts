import { CELL } from './channel.js'

/** Imports that a running statement calls now and then. Each call checks the cancel cell. */
const WATCHED = [
  ['wasi_snapshot_preview1', 'clock_time_get'],
  ['wasi_snapshot_preview1', 'fd_pread'],
  ['wasi_snapshot_preview1', 'fd_pwrite'],
  ['env', 'emscripten_date_now'],
] as const

/**
 * `pg_sleep` polls the clock in a loop. A pause after this many readings in a row (0.1 ms) saves processor
 * time.
 */
const READINGS_BEFORE_PAUSE = 1000
const PAUSE_MS = 1

type ImportedFunction = (...values: unknown[]) => unknown

function isFunction(value: unknown): value is ImportedFunction {
  return typeof value === 'function'
}

/** A year in nanoseconds. A cancelled `pg_sleep` then finds that its end has passed. */
const YEAR_NS = 365n * 86_400n * 1_000_000_000n

/**
 * Cancels statements in an engine without signals.
 *
 * The engine exports the addresses of the two flags that Postgres checks at its own safe points. The worker's
 * thread sets the flags during calls that a running statement makes anyway.
 *
 * It depends on names inside the engine's module, and does nothing if they are missing. A statement without
 * calls (a tight PL/pgSQL loop) does not notice the flags. In both cases the session ends the worker after a
 * while.
 */
export class Interrupts {
  readonly #cells: Int32Array
  #memory: WebAssembly.Memory | undefined
  #flags: number[] = []
  #readings = 0

  constructor(cells: Int32Array) {
    this.#cells = cells
  }

  /** Returns true while a cancel is requested, and passes the request on to Postgres. */
  poll(): boolean {
    if (Atomics.load(this.#cells, CELL.cancel) === 0) return false
    this.#setFlags(1)
    return true
  }

  /** Clears the flags after a statement, so that a late cancel does not stop the next one. */
  clear(): void {
    this.#readings = 0
    this.#setFlags(0)
  }

  /** Runs `open` with the engine's imports watched. Other modules are not changed. */
  async watchWhile<T>(open: () => Promise<T>): Promise<T> {
    const instantiate = WebAssembly.instantiate
    const watch = (imports: WebAssembly.Imports) => this.#watch(imports)
    const found = (instance: WebAssembly.Instance) => this.#find(instance)
    async function watched(
      module: WebAssembly.Module,
      imports: WebAssembly.Imports = {},
    ): Promise<WebAssembly.Instance> {
      if (!watch(imports)) return instantiate(module, imports)
      const instance = await instantiate(module, imports)
      found(instance)
      return instance
    }
    Object.defineProperty(WebAssembly, 'instantiate', { value: watched, configurable: true, writable: true })
    try {
      return await open()
    } finally {
      Object.defineProperty(WebAssembly, 'instantiate', {
        value: instantiate,
        configurable: true,
        writable: true,
      })
    }
  }

  /**
   * The engine is the first module with a memory and all the watched imports. Extensions are loaded later.
   */
  #watch(imports: WebAssembly.Imports): boolean {
    const memory = imports.env?.memory
    if (this.#memory !== undefined || !(memory instanceof WebAssembly.Memory)) return false
    for (const [space, name] of WATCHED) {
      if (!isFunction(imports[space]?.[name])) return false
    }
    this.#memory = memory
    for (const [space, name] of WATCHED) {
      const group = imports[space]
      const original = group?.[name]
      if (group === undefined || !isFunction(original)) continue
      group[name] = name === 'clock_time_get' ? this.#watchedClock(original) : this.#watchedCall(original)
    }
    return true
  }

  #watchedCall(original: ImportedFunction): ImportedFunction {
    return (...values) => {
      this.#readings = 0
      this.poll()
      return original(...values)
    }
  }

  #watchedClock(original: ImportedFunction): ImportedFunction {
    return (...values) => {
      const result = original(...values)
      if (this.poll()) this.#moveReading(values[2])
      else if (++this.#readings % READINGS_BEFORE_PAUSE === 0)
        Atomics.wait(this.#cells, CELL.cancel, 0, PAUSE_MS)
      return result
    }
  }

  /** @param address address of the result of `clock_time_get` */
  #moveReading(address: unknown): void {
    if (this.#memory === undefined || typeof address !== 'number') return
    const view = new DataView(this.#memory.buffer)
    view.setBigInt64(address, view.getBigInt64(address, true) + YEAR_NS, true)
  }

  #find(instance: WebAssembly.Instance): void {
    const { QueryCancelPending, InterruptPending } = instance.exports
    if (QueryCancelPending instanceof WebAssembly.Global && InterruptPending instanceof WebAssembly.Global)
      this.#flags = [Number(QueryCancelPending.value), Number(InterruptPending.value)]
  }

  #setFlags(value: 0 | 1): void {
    if (this.#memory === undefined || this.#flags.length === 0) return
    const view = new DataView(this.#memory.buffer)
    for (const flag of this.#flags) view.setInt32(flag, value, true)
  }
}
