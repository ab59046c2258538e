import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { compiled } from '../../../../../shared/util/compiled.js'
import {
  CELL,
  CELLS,
  type EngineOrder,
  type EngineReport,
  type EngineStart,
  type EngineState,
} from './channel.js'

/**
 * PL/pgSQL that recurses until Postgres's own limit needs more than Node's 4 MB of stack: with less, the engine loses its
 * footing instead of answering 54001. 16 was enough; the rest is margin (address space, not memory).
 */
const STACK_MB = 64

/**
 * A small nursery is collected often, and with it the buffers the engine was loaded from: 10 databases take
 * a sixth less.
 */
const YOUNG_MB = 2

/** Who receives what a run answers. */
export interface RunListener {
  /** @param bytes backend messages, cut anywhere; to be acknowledged with `taken` */
  output(bytes: Buffer): void
  /** The statement waits for input: answer with `feed`. */
  hungry(): void
}

interface Run extends RunListener {
  done(state: EngineState): void
  lost(error: Error): void
}

/** The program of an engine's thread. */
const WORKER_FILE = compiled('./worker.js', import.meta.url)

/** One Postgres in a worker thread, seen from the main thread. Runs one batch of messages at a time. */
export class Engine {
  /** What it introduced itself with: parameter statuses, for every client to be told. */
  greeting: Buffer = Buffer.alloc(0)
  state: EngineState = { size: 0, logged: 0, written: 0, memory: 0 }
  readonly #worker: Worker
  readonly #cells: Int32Array
  readonly #exited: Promise<void>
  #run: Run | undefined
  #gone = false
  /** Set by who owns it: told once when the thread is gone without having been asked. */
  onLost: (error: Error) => void = () => {}

  private constructor(start: Omit<EngineStart, 'cells'>) {
    const cells = new SharedArrayBuffer(CELLS * Int32Array.BYTES_PER_ELEMENT)
    this.#cells = new Int32Array(cells)
    this.#worker = new Worker(WORKER_FILE, {
      workerData: { ...start, cells } satisfies EngineStart,
      resourceLimits: { stackSizeMb: STACK_MB, maxYoungGenerationSizeMb: YOUNG_MB },
      // A host's own flags (a loader, a test runner's) are none of the engine's business.
      execArgv: [],
    })
    this.#exited = new Promise(resolve => this.#worker.once('exit', () => resolve()))
  }

  /**
   * Starts a thread and opens a database in it.
   *
   * @param signal ends the thread if it is aborted before the database is open
   * @throws Error when it does not open, or is aborted. The thread has ended then.
   */
  static async open(start: Omit<EngineStart, 'cells' | 'wasm'>, signal?: AbortSignal): Promise<Engine> {
    const wasm = await compiledModule()
    signal?.throwIfAborted()
    const engine = new Engine({ ...start, wasm })
    const kill = () => void engine.kill()
    signal?.addEventListener('abort', kill, { once: true })
    try {
      await engine.#opened()
      signal?.throwIfAborted()
      return engine
    } catch (error) {
      await engine.kill()
      throw error
    } finally {
      signal?.removeEventListener('abort', kill)
    }
  }

  /**
   * Answers a batch of frontend messages; resolves when all of it is read and answered.
   *
   * @param bytes whole messages
   * @param most how large the database's files may become, in bytes
   * @throws Error when the thread goes away meanwhile, or when another batch is under way: the two would mix
   */
  run(bytes: Buffer, most: number, listener: RunListener): Promise<EngineState> {
    if (this.#gone) return Promise.reject(new Error('the engine is gone'))
    if (this.#run !== undefined) return Promise.reject(new Error('the engine is busy with another batch'))
    Atomics.store(this.#cells, CELL.cancel, 0)
    // What an earlier client has not read yet must not hold back the answers to this one.
    Atomics.store(this.#cells, CELL.inFlight, 0)
    return new Promise((resolve, reject) => {
      this.#run = {
        output: listener.output.bind(listener),
        hungry: listener.hungry.bind(listener),
        done: resolve,
        lost: reject,
      }
      this.#order({ kind: 'run', bytes, most })
    })
  }

  /** Answers a `hungry`. */
  feed(bytes: Buffer): void {
    this.#order({ kind: 'feed', bytes })
    Atomics.add(this.#cells, CELL.fed, 1)
    Atomics.notify(this.#cells, CELL.fed)
  }

  /** Output of the run under way that has left for the client, in bytes: lets Postgres write on. */
  taken(size: number): void {
    Atomics.sub(this.#cells, CELL.inFlight, size)
    Atomics.notify(this.#cells, CELL.inFlight)
  }

  /** Asks the running statement to give up; it may not notice. */
  cancel(): void {
    Atomics.store(this.#cells, CELL.cancel, 1)
    Atomics.notify(this.#cells, CELL.cancel)
  }

  /** Closes the database and ends the thread. Not while something runs. */
  async end(): Promise<void> {
    if (!this.#gone) {
      this.#gone = true
      this.#order({ kind: 'end' })
    }
    await this.#exited
  }

  /** Ends the thread for want of another way to stop it; its owner is told as of any other loss. */
  abort(): void {
    this.#worker.terminate()
  }

  /** Ends the thread at once, whatever it does. What was committed is in the log on disk. */
  async kill(): Promise<void> {
    this.#gone = true
    await this.#worker.terminate()
    this.#run?.lost(new Error('the engine was ended'))
    this.#run = undefined
  }

  #order(order: EngineOrder): void {
    this.#worker.postMessage(order)
  }

  #opened(): Promise<void> {
    return new Promise((resolve, reject) => {
      let failure = new Error('the engine ended without a word')
      const greeting: Buffer[] = []
      this.#worker.on('message', (report: EngineReport) => {
        if (report.kind === 'ready') {
          this.state = report.state
          this.greeting = Buffer.concat(greeting)
          resolve()
        } else if (report.kind === 'output' && this.#run === undefined) {
          greeting.push(Buffer.from(report.bytes))
          this.taken(report.bytes.length)
        } else this.#report(report)
      })
      this.#worker.on('error', error => {
        failure = error instanceof Error ? error : new Error(String(error))
      })
      this.#worker.once('exit', () => {
        reject(failure)
        this.#lost(failure)
      })
    })
  }

  #report(report: EngineReport): void {
    if (report.kind === 'output') this.#run?.output(Buffer.from(report.bytes.buffer))
    else if (report.kind === 'hungry') this.#run?.hungry()
    else if (report.kind === 'idle') {
      this.state = report.state
      const run = this.#run
      this.#run = undefined
      run?.done(report.state)
    }
  }

  #lost(error: Error): void {
    if (this.#gone) return
    this.#gone = true
    this.#run?.lost(error)
    this.#run = undefined
    this.onLost(error)
  }
}

let compiling: Promise<WebAssembly.Module> | undefined

/** Compiled once per process (35 ms) and shared by every thread; the 9 MB file is read when the first database is made. */
function compiledModule(): Promise<WebAssembly.Module> {
  compiling ??= readFile(fileURLToPath(new URL('./pglite.wasm', import.meta.resolve('@electric-sql/pglite'))))
    .then(bytes => WebAssembly.compile(bytes))
    .catch(error => {
      // The next database tries again.
      compiling = undefined
      throw error
    })
  return compiling
}
