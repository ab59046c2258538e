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
 * Stack of the engine's thread in megabytes. Recursion in PL/pgSQL up to Postgres's own limit needs more than
 * the 4 MB of Node.js. With too small a stack the engine crashes instead of answering 54001. 16 MB was enough
 * in tests. The rest is a margin, which uses address space and no memory.
 */
const STACK_MB = 64

/**
 * Young generation of the thread's heap in megabytes. A small one is collected often, which also frees the
 * buffers from which the engine was loaded. Ten databases then take a sixth less memory (measured).
 */
const YOUNG_MB = 2

/** Receives the answers to the messages of a run. */
export interface RunListener {
  /**
   * @param bytes part of Postgres's answers. The listener calls {@link Engine.outputTaken} once the bytes are
   *   sent.
   */
  output(bytes: Buffer): void
  /** Called when a statement waits for input. The listener answers with {@link Engine.feed}. */
  inputWanted(): void
}

interface Run extends RunListener {
  resolve(state: EngineState): void
  reject(error: Error): void
}

/** The module that runs in an engine's thread. */
const WORKER_FILE = compiled('./worker.js', import.meta.url)

/** Controls one Postgres in a worker thread. Runs one batch of messages at a time. */
export class Engine {
  /**
   * ParameterStatus messages with the values of the engine's parameters. Each client receives them when it
   * connects.
   */
  parameterStatuses: Buffer = Buffer.alloc(0)
  state: EngineState = { size: 0, logged: 0, written: 0, memory: 0 }
  readonly #worker: Worker
  readonly #cells: Int32Array
  readonly #exited: Promise<void>
  #run: Run | undefined
  #ended = false
  /** Called once if the thread ends unexpectedly. The owner of the engine sets it. */
  onLost: (error: Error) => void = () => {}

  private constructor(start: Omit<EngineStart, 'cells'>) {
    const cells = new SharedArrayBuffer(CELLS * Int32Array.BYTES_PER_ELEMENT)
    this.#cells = new Int32Array(cells)
    this.#worker = new Worker(WORKER_FILE, {
      workerData: { ...start, cells } satisfies EngineStart,
      resourceLimits: { stackSizeMb: STACK_MB, maxYoungGenerationSizeMb: YOUNG_MB },
      // By default a worker inherits the flags of its process, for example
      // the loader of a test runner. The engine needs none of them.
      execArgv: [],
    })
    this.#exited = new Promise(resolve => this.#worker.once('exit', () => resolve()))
  }

  /**
   * Starts a thread and opens a database in it.
   *
   * @param signal ends the thread if it is aborted before the database is open
   * @throws Error if the database cannot be opened or the signal is aborted. The thread has ended then.
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
   * Runs a batch of messages of a client. Resolves when all of them are answered.
   *
   * @param bytes complete messages
   * @param maxBytes the largest size that the database's files may reach, in bytes
   * @param listener receives the answers
   * @throws Error if the thread ends during the run, or if another batch is running
   */
  run(bytes: Buffer, maxBytes: number, listener: RunListener): Promise<EngineState> {
    if (this.#ended) return Promise.reject(new Error('the engine has already ended'))
    if (this.#run !== undefined) return Promise.reject(new Error('the engine is busy with another batch'))
    Atomics.store(this.#cells, CELL.cancel, 0)
    // Output that an earlier client has not read must not count against this batch.
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

  /** Sends input to the statement that waits for it. */
  feed(bytes: Buffer): void {
    this.#send({ kind: 'feed', bytes })
    Atomics.add(this.#cells, CELL.fed, 1)
    Atomics.notify(this.#cells, CELL.fed)
  }

  /**
   * Records that output of the current run was sent to the client, so that Postgres may write more.
   *
   * @param size in bytes
   */
  outputTaken(size: number): void {
    Atomics.sub(this.#cells, CELL.inFlight, size)
    Atomics.notify(this.#cells, CELL.inFlight)
  }

  /**
   * Asks the running statement to stop. A statement that calls no imported function does not notice the
   * request.
   */
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

  /** Terminates the thread during a statement that cannot be stopped. Then calls {@link onLost}. */
  abort(): void {
    this.#worker.terminate()
  }

  /**
   * Terminates the thread, even during a statement, without calling {@link onLost}. Committed data is safe in
   * the log on disk.
   */
  async kill(): Promise<void> {
    this.#ended = true
    await this.#worker.terminate()
    this.#run?.reject(new Error('the engine was ended during the run'))
    this.#run = undefined
  }

  #send(command: EngineCommand): void {
    this.#worker.postMessage(command)
  }

  #opened(): Promise<void> {
    return new Promise((resolve, reject) => {
      let failure = new Error('the thread of the engine has exited without an error')
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
 * Returns the compiled WebAssembly module of the engine, which all threads share. The first call reads a file
 * of 9 MB and compiles it in 35 ms (measured).
 */
function compiledModule(): Promise<WebAssembly.Module> {
  compiling ??= readFile(fileURLToPath(new URL('./pglite.wasm', import.meta.resolve('@electric-sql/pglite'))))
    .then(bytes => WebAssembly.compile(bytes))
    .catch(error => {
      // The error is not kept, so the next database tries again.
      compiling = undefined
      throw error
    })
  return compiling
}
