import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { compiled } from '../../../../../shared/util/compiled.js'
import {
  CELL,
  CELLS,
  type EngineCommand,
  type EngineEvent,
  type EngineStart,
  type EngineState,
} from './channel.js'

/**
 * Megabytes of stack of the engine's thread. PL/pgSQL that recurses to Postgres's own limit needs more than
 * Node's 4 MB. With less, the engine breaks instead of answering 54001. 16 MB was enough, and the rest is
 * margin: it costs address space, not memory.
 */
const STACK_MB = 64

/**
 * Megabytes of the young generation. A small one is collected often, and with it the buffers that the engine
 * was loaded from. Ten databases take a sixth less memory.
 */
const YOUNG_MB = 2

/** Receives the answers of a run. */
export interface RunListener {
  /** @param bytes backend messages, split at any byte. Acknowledge them with `taken`. */
  output(bytes: Buffer): void
  /** The statement waits for input. Answer with `feed`. */
  inputWanted(): void
}

interface Run extends RunListener {
  resolve(state: EngineState): void
  reject(error: Error): void
}

/** The program of an engine's thread. */
const WORKER_FILE = compiled('./worker.js', import.meta.url)

/** One Postgres in a worker thread, as the main thread sees it. Runs one batch of messages at a time. */
export class Engine {
  /** The engine's parameter statuses. Each client receives them when it connects. */
  parameterStatuses: Buffer = Buffer.alloc(0)
  state: EngineState = { size: 0, logged: 0, written: 0, memory: 0 }
  readonly #worker: Worker
  readonly #cells: Int32Array
  readonly #exited: Promise<void>
  #run: Run | undefined
  #ended = false
  /** Set by the owner. Called once when the thread ends without having been asked to. */
  onLost: (error: Error) => void = () => {}

  private constructor(start: Omit<EngineStart, 'cells'>) {
    const cells = new SharedArrayBuffer(CELLS * Int32Array.BYTES_PER_ELEMENT)
    this.#cells = new Int32Array(cells)
    this.#worker = new Worker(WORKER_FILE, {
      workerData: { ...start, cells } satisfies EngineStart,
      resourceLimits: { stackSizeMb: STACK_MB, maxYoungGenerationSizeMb: YOUNG_MB },
      // The flags of the host process (a loader, a test runner) must not reach the engine.
      execArgv: [],
    })
    this.#exited = new Promise(resolve => this.#worker.once('exit', () => resolve()))
  }

  /**
   * Starts a thread and opens a database in it.
   *
   * @param signal ends the thread if it is aborted before the database is open
   * @throws Error if the database does not open or the signal is aborted. The thread has ended then.
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
   * Answers a batch of frontend messages. Resolves when all of it is read and answered.
   *
   * @param bytes whole messages
   * @param maxBytes the largest size that the database's files may reach, in bytes
   * @throws Error if the thread ends during the run, or if another batch is running
   */
  run(bytes: Buffer, maxBytes: number, listener: RunListener): Promise<EngineState> {
    if (this.#ended) return Promise.reject(new Error('the engine is gone'))
    if (this.#run !== undefined) return Promise.reject(new Error('the engine is busy with another batch'))
    Atomics.store(this.#cells, CELL.cancel, 0)
    // Unread output of an earlier client must not block the answers to this batch.
    Atomics.store(this.#cells, CELL.inFlight, 0)
    return new Promise((resolve, reject) => {
      this.#run = {
        output: listener.output.bind(listener),
        inputWanted: listener.inputWanted.bind(listener),
        resolve,
        reject,
      }
      this.#send({ kind: 'run', bytes, maxBytes })
    })
  }

  /** Sends input to a statement that waits for it. */
  feed(bytes: Buffer): void {
    this.#send({ kind: 'feed', bytes })
    Atomics.add(this.#cells, CELL.fed, 1)
    Atomics.notify(this.#cells, CELL.fed)
  }

  /**
   * Reports output of the current run that has been sent to the client, in bytes. Postgres may then write
   * more.
   */
  outputTaken(size: number): void {
    Atomics.sub(this.#cells, CELL.inFlight, size)
    Atomics.notify(this.#cells, CELL.inFlight)
  }

  /** Asks the running statement to stop. The statement may not notice. */
  cancel(): void {
    Atomics.store(this.#cells, CELL.cancel, 1)
    Atomics.notify(this.#cells, CELL.cancel)
  }

  /** Closes the database and ends the thread. Call it only between runs. */
  async end(): Promise<void> {
    if (!this.#ended) {
      this.#ended = true
      this.#send({ kind: 'end' })
    }
    await this.#exited
  }

  /** Ends the thread because nothing else can stop it. Calls `onLost`, as for any other loss. */
  abort(): void {
    this.#worker.terminate()
  }

  /** Ends the thread at once, even during a statement. Committed data is in the log on disk. */
  async kill(): Promise<void> {
    this.#ended = true
    await this.#worker.terminate()
    this.#run?.reject(new Error('the engine was ended'))
    this.#run = undefined
  }

  #send(command: EngineCommand): void {
    this.#worker.postMessage(command)
  }

  #opened(): Promise<void> {
    return new Promise((resolve, reject) => {
      let failure = new Error('the engine ended without a word')
      const statuses: Buffer[] = []
      this.#worker.on('message', (event: EngineEvent) => {
        if (event.kind === 'ready') {
          this.state = event.state
          this.parameterStatuses = Buffer.concat(statuses)
          resolve()
        } else if (event.kind === 'output' && this.#run === undefined) {
          statuses.push(Buffer.from(event.bytes))
          this.outputTaken(event.bytes.length)
        } else this.#onEvent(event)
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

  #onEvent(event: EngineEvent): void {
    if (event.kind === 'output') this.#run?.output(Buffer.from(event.bytes.buffer))
    else if (event.kind === 'inputWanted') this.#run?.inputWanted()
    else if (event.kind === 'idle') {
      this.state = event.state
      const run = this.#run
      this.#run = undefined
      run?.resolve(event.state)
    }
  }

  #lost(error: Error): void {
    if (this.#ended) return
    this.#ended = true
    this.#run?.reject(error)
    this.#run = undefined
    this.onLost(error)
  }
}

let compiling: Promise<WebAssembly.Module> | undefined

/**
 * The compiled module, shared by all threads. Compiling takes 35 ms. The 9 MB file is read for the first
 * database.
 */
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
