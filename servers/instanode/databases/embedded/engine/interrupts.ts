import { CELL } from './channel.js'

/**
 * Functions that the engine's module imports. Most running statements call one of them often. `Interrupts`
 * wraps these functions, so that each call also checks whether a cancel is requested.
 */
const WATCHED = [
  ['wasi_snapshot_preview1', 'clock_time_get'],
  ['wasi_snapshot_preview1', 'fd_pread'],
  ['wasi_snapshot_preview1', 'fd_pwrite'],
  ['env', 'emscripten_date_now'],
] as const

/**
 * Number of clock readings in a row after which the thread pauses. `pg_sleep` reads the clock in a loop, and
 * 1000 readings take 0.1 ms. The pause saves processor time.
 */
const READINGS_BEFORE_PAUSE = 1000
const PAUSE_MS = 1

type ImportedFunction = (...values: unknown[]) => unknown

function isFunction(value: unknown): value is ImportedFunction {
  return typeof value === 'function'
}

/**
 * A year in nanoseconds. A cancelled `pg_sleep` reads a time one year later, so that the sleep is over.
 */
const YEAR_NS = 365n * 86_400n * 1_000_000_000n

/**
 * Cancels statements in an engine that cannot receive signals.
 *
 * Postgres checks two flags at safe points, and the engine exports the addresses of the flags. This class
 * sets the flags while a running statement calls one of the watched imports.
 *
 * If the engine's module has no such imports or exports, cancelling does nothing. A
 * statement that calls no import, such as a tight loop in PL/pgSQL, is not stopped
 * either. In both cases the session ends the worker after its grace period.
 */
export class Interrupts {
  readonly #cells: Int32Array
  #memory: WebAssembly.Memory | undefined
  #flags: number[] = []
  #readings = 0

  constructor(cells: Int32Array) {
    this.#cells = cells
  }

  /** Sets Postgres's flags if a cancel is requested. @returns whether a cancel is requested */
  poll(): boolean {
    if (Atomics.load(this.#cells, CELL.cancel) === 0) return false
    this.#setFlags(1)
    return true
  }

  /** Clears Postgres's flags after a statement, so that a late cancel does not stop the next statement. */
  clear(): void {
    this.#readings = 0
    this.#setFlags(0)
  }

  /**
   * Runs `open`. If `open` instantiates the engine's module, the watched imports of that module are wrapped.
   * The wrappers stay after `open` has ended. Other modules stay as they are.
   */
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
   * Replaces the watched functions in the imports of the engine's module, which is the first module with a
   * memory and all of these functions. Modules of extensions come later.
   *
   * @returns whether the imports belong to the engine's module
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

  /**
   * Moves a clock reading into the future.
   *
   * @param address address of the result of `clock_time_get`, in the engine's memory
   */
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
